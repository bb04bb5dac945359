import { once } from 'node:events';
import { readFile, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { virtualDiskIdOf } from '../../hypervisors/hyperv/page-83.ts';
import { asRouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { findInstallation, places } from '../../system/installation.ts';
import { namesIn } from '../../system/names-in.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { outcomePath, outcomeSchema } from './outcome.ts';
import type { Report } from './report.ts';

const services = [
	'rouse-first-boot',
	'rouse-supervisor',
	'rouse-worker',
	'systemd-networkd',
	'systemd-timesyncd',
	'tgt',
];
/** Of the way by the kernel, of volumes' private files, and of Hyper-V. */
const modules = ['nbd', 'target_core_iblock', 'iscsi_target_mod', 'xfs', 'fuse', 'hv_storvsc', 'hv_netvsc', 'hv_utils'];

/** `size` counts these: Documentation/ABI/stable/sysfs-block. */
const sysfsSectorBytes = 512;

/** Emulated and busy it takes a while. */
const comesUpMs = 600_000;

export async function gather(): Promise<Report> {
	const outcome = outcomeSchema.parse(JSON.parse(await readFile(outcomePath, 'utf8')));
	return {
		...outcome,
		rouse: await rouseVersion(),
		node: process.version,
		kernel: (await readFile('/proc/sys/kernel/osrelease', 'latin1')).trim(),
		services: Object.fromEntries(await Promise.all(services.map(async unit => [unit, await stateOf(unit)] as const))),
		modules: Object.fromEntries(await Promise.all(modules.map(async name => [name, await canLoad(name)] as const))),
		supervisorListens: outcome.name !== null && (await supervisorListens()),
		addresses: Object.values(networkInterfaces()).flatMap(all =>
			(all ?? []).filter(one => !one.internal).map(one => one.address),
		),
		disks: await scsiDisks(),
	};
}

/** A service is active as soon as it was started; whether it came up is seen by its socket. */
async function supervisorListens(): Promise<boolean> {
	try {
		const look = async () => {
			const installation = await findInstallation();
			return installation !== undefined && (await listens(places.supervisorSocket(installation.runDirectory)));
		};
		return await waitFor('the supervisor to listen', look, { timeoutMs: comesUpMs, everyMs: 250 });
	} catch (error) {
		if (asRouseError(error).code !== 'timeout') throw error;
		return false;
	}
}

async function listens(path: string): Promise<boolean> {
	const socket = connect(path);
	try {
		await once(socket, 'connect');
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}

async function rouseVersion(): Promise<string> {
	const text = await readFile(join(checkoutDirectory, 'package.json'), 'utf8');
	return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

async function stateOf(unit: string): Promise<string> {
	// Its exit code says the same, and other things too.
	const { stdout } = await runTool('systemctl', ['is-active', unit], { hint: 'apt-get install systemd' });
	return stdout.trim();
}

async function canLoad(module: string): Promise<boolean> {
	const { code } = await runTool('/sbin/modprobe', ['--dry-run', '--quiet', module], { hint: 'apt-get install kmod' });
	return code === 0;
}

async function scsiDisks(): Promise<Report['disks']> {
	const disks: Report['disks'] = [];
	for (const name of (await namesIn('/sys/block')).toSorted()) {
		if (!name.startsWith('sd')) continue;
		const device = join('/sys/block', name, 'device');
		const page = await readFile(join(device, 'vpd_pg83')).catch(() => undefined);
		disks.push({
			name,
			sizeBytes: Number(await readFile(join('/sys/block', name, 'size'), 'latin1')) * sysfsSectorBytes,
			scsi: basename(await readlink(device)),
			virtualDiskId: (page && virtualDiskIdOf(page)) ?? null,
			page83: page?.toString('hex') ?? null,
		});
	}
	return disks;
}
