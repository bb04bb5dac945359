import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { QemuMachineSource, type QemuSourceOptions } from '../../sources/qemu/source.ts';
import type { SourceBench } from './machine-sources/bench.ts';
import { noise } from './repositories.ts';
import { diskArgs, SourceQemu } from './source-qemu.ts';

const run = promisify(execFile);
const kib = 1024;

const blocksSchema = z.array(
	z.object({
		inserted: z
			.object({
				'node-name': z.string(),
				'dirty-bitmaps': z.array(z.object({ name: z.string(), busy: z.boolean() })).default([]),
			})
			.optional(),
	}),
);
const idsSchema = z.array(z.object({ id: z.string() }));

export interface QemuSourceBench extends SourceBench {
	directory: string;
	uri: string;
	source(options?: QemuSourceOptions, query?: string): QemuMachineSource;
	/** The one that runs now. */
	qemu(): SourceQemu;
	/** Names of all that its disks have. */
	bitmaps(): Promise<string[]>;
	/** Ends it, and starts it again in the same way. Bitmaps are stored when it quits. */
	restart(how: 'kill' | 'quit'): Promise<void>;
}

async function bitmapsOf({ guest }: SourceQemu): Promise<{ node: string; name: string; busy: boolean }[]> {
	const blocks = blocksSchema.parse(await guest.execute('query-block'));
	return blocks.flatMap(({ inserted }) =>
		(inserted?.['dirty-bitmaps'] ?? []).map(bitmap => ({ node: inserted?.['node-name'] ?? '', ...bitmap })),
	);
}

/** A QEMU with a qcow2 image, whose bitmaps outlive it, and a raw one, which ends in the middle of a block. */
export async function makeQemuSourceBench(more: readonly string[] = []): Promise<QemuSourceBench> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-test-'));
	const images = { vd0: 'qcow2', vd1: 'raw' } as const;
	const contents = new Map([
		['vd0', Buffer.alloc(1024 * kib)],
		['vd1', Buffer.alloc(600 * kib + 512)],
	]);
	const imageOf = (key: string) => join(directory, `${key}.img`);
	for (const [key, bytes] of contents)
		await run('qemu-img', ['create', '-q', '-f', key === 'vd0' ? 'qcow2' : 'raw', imageOf(key), String(bytes.length)]);
	const disks = Object.entries(images).flatMap(([key, format]) => diskArgs(key, imageOf(key), format));
	const args = ['-m', '32', ...disks, ...more];
	let uuid: string = randomUUID();
	let qemu = await SourceQemu.start(directory, { uuid, args });
	const restart = async (how: 'kill' | 'quit') => {
		// What a guest has not flushed is lost with a QEMU that is killed. One that has ended already is not asked.
		for (const number of [0, 1]) await qemu.guest.io(number, 'flush', /^/).catch(() => undefined);
		await qemu[how]();
		qemu = await SourceQemu.start(directory, { uuid, args });
	};
	const write = async (key: string, offsetBytes: number, bytes: Buffer) => {
		const file = join(directory, 'written');
		await writeFile(file, bytes);
		const said = await qemu.guest.io(Number(key.slice(2)), `write -s ${file} ${offsetBytes} ${bytes.length}`);
		if (!said.includes(`wrote ${bytes.length}/${bytes.length} bytes`)) throw new Error(`guest write: ${said}`);
		contents.get(key)?.set(bytes, offsetBytes);
	};
	await write('vd0', 128 * kib, noise(192 * kib, 1));
	await write('vd1', 0, noise(100 * kib, 2));
	const uri = `qemu+qmp://${join(directory, 'backup')}`;
	const source = (options: QemuSourceOptions = {}, query = '') => new QemuMachineSource(`${uri}${query}`, options);
	return {
		directory,
		uri,
		source,
		qemu: () => qemu,
		restart,
		bitmaps: async () => (await bitmapsOf(qemu)).map(({ name }) => name),
		open: ({ diesAt } = {}) =>
			source({
				reached: place => {
					if (place === diesAt) throw new RouseError('interrupted', 'this process is dead');
				},
			}),
		places: ['scratch', 'server', 'nodes', 'taken', 'exported', 'begun'],
		secrets: [],
		guest: { write, content: async key => Buffer.from(contents.get(key) ?? Buffer.alloc(0)) },
		owner: {
			addDisk: async () => {
				await run('qemu-img', ['create', '-q', '-f', 'raw', imageOf('vd2'), String(64 * kib)]);
				const file = { driver: 'file', filename: imageOf('vd2') };
				await qemu.guest.execute('blockdev-add', { driver: 'raw', 'node-name': 'node-vd2', file });
				await qemu.guest.execute('device_add', { driver: 'virtio-blk-pci', drive: 'node-vd2', id: 'vd2' });
			},
			replaceMachine: async () => {
				uuid = randomUUID();
				await restart('quit');
			},
			beBusy: async () => {
				const path = join(directory, 'somebody');
				await qemu.guest.execute('nbd-server-start', { addr: { type: 'unix', data: { path } } });
			},
		},
		fate: {
			loseCheckpoints: async () => {
				for (const { node, name, busy } of await bitmapsOf(qemu))
					if (!busy) await qemu.guest.execute('block-dirty-bitmap-remove', { node, name });
			},
			loseMoments: async () => {
				for (const { id } of idsSchema.parse(await qemu.guest.execute('query-block-exports')))
					await qemu.guest.execute('block-export-del', { id, mode: 'hard' });
				for (const { id } of idsSchema.parse(await qemu.guest.execute('query-jobs')))
					await qemu.guest.execute('job-cancel', { id });
			},
		},
		dispose: async () => {
			await qemu.kill();
			await rm(directory, { recursive: true, force: true });
		},
	};
}
