/**
 * How long local reads take while others wait for the repository, on the kernel's way (NBD client under LIO), in the booted
 * appliance: `node bench/held-reads-in-appliance.ts [READS]`, as root, prints JSON. One iSCSI session, as a host has; the
 * NBD server there is ours, and holds reads of the disk's second half. Emulated: compare only what one run measured.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAppliance } from '../appliance/build.ts';
import { cacheDirectory } from '../system/installation.ts';
import { waitFor } from '../system/wait.ts';
import { orderAppliance } from '../test/equipment/appliance-order.ts';
import { iscsiReader } from '../test/equipment/iscsi-reader.ts';

const reads = Number(process.argv[2] ?? 200);
const half = 4 * 1024 ** 3;
const endings: (() => unknown)[] = [];
const t = { after: (end: () => unknown) => void endings.push(end) };

const directory = await mkdtemp(join(tmpdir(), 'rouse-bench-'));
try {
	const { vhdxPath } = await buildAppliance({ cacheDirectory: cacheDirectory() });
	const ports = { iscsi: 13_260, orders: 13_300 };
	const { order } = await orderAppliance(t, { vhdxPath, directory, ports });
	await order('start');
	const secret = 'abcdefgh23456789';
	const portal = `127.0.0.1:${ports.iscsi}`;
	const reader = await iscsiReader(t, { portal, iqn: 'iqn.2026-11.example.rouse:web01-r1', lun: 1, secret });
	for (const held of [0, 1, 5, 20, 40, 60, 0]) {
		for (let one = 0; one < held; one++) await reader.begin(half + one * 65_536);
		const wait = async () => (await order('held')) === String(held);
		await waitFor(`${held} reads to wait`, wait, { timeoutMs: 60_000, everyMs: 100 });
		const times: number[] = [];
		for (let one = 0; one < reads; one++)
			times.push(await reader.read(Math.floor(Math.random() * (half / 4096)) * 4096));
		times.sort((a, b) => a - b);
		const at = (part: number) => Number(times[Math.min(reads - 1, Math.floor(reads * part))]?.toFixed(1));
		console.log(JSON.stringify({ held, reads, medianMs: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), mostMs: at(1) }));
		await order('release');
	}
} finally {
	for (const end of endings.toReversed()) await end();
	await rm(directory, { recursive: true, force: true });
}
