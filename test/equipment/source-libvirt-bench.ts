import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { LibvirtMachineSource, type LibvirtSourceOptions } from '../../sources/libvirt/source.ts';
import { waitFor } from '../../system/wait.ts';
import type { SourceBench } from './machine-sources/bench.ts';
import { noise } from './repositories.ts';
import type { Libvirt } from './source-libvirt.ts';

const run = promisify(execFile);
const kib = 1024;

const nodesSchema = z.object({
	return: z.array(
		z.object({
			'node-name': z.string(),
			'dirty-bitmaps': z.array(z.object({ name: z.string().optional(), busy: z.boolean() })).default([]),
		}),
	),
});

interface LibvirtSourceBench extends SourceBench {
	directory: string;
	/** Of the domain. */
	name: string;
	uri: string;
	/** Of its disks, in their order. */
	keys: readonly string[];
	source(options?: LibvirtSourceOptions, query?: string): LibvirtMachineSource;
	start(): Promise<void>;
	/** What a guest has not flushed is lost with a QEMU that is killed. */
	flush(): Promise<void>;
	/** Names of all that its disks have. */
	bitmaps(): Promise<string[]>;
}

interface BenchOptions {
	formats?: readonly ('qcow2' | 'raw')[];
	/** Elements of the domain's devices, beside its disks. */
	devices?: string;
	/** And of the domain. */
	more?: string;
}

/** A domain whose processors stand still from the beginning; its disks are written by `qemu-io`. */
export async function makeLibvirtSourceBench(
	libvirt: Libvirt,
	{ formats = ['qcow2', 'qcow2'], devices = '', more = '' }: BenchOptions = {},
): Promise<LibvirtSourceBench> {
	const name = `m${randomUUID().slice(0, 8)}`;
	const directory = join(libvirt.directory, name);
	await mkdir(directory);
	await chmod(directory, 0o755);
	const image = async (path: string, format: string, sizeBytes: number) => {
		await run('qemu-img', ['create', '-q', '-f', format, path, String(sizeBytes)]);
		await libvirt.give(path);
	};
	const keys = formats.map((_format, number) => join(directory, `disk${number}`));
	const sizes = [1024 * kib, 600 * kib + 512];
	const contents = new Map(keys.map((key, number) => [key, Buffer.alloc(sizes[number] ?? 64 * kib)]));
	for (const [number, key] of keys.entries())
		await image(key, formats[number] ?? 'raw', contents.get(key)?.length ?? 0);
	const disks = keys.map((key, number) =>
		[
			`<disk type='file' device='disk'><driver name='qemu' type='${formats[number]}' discard='unmap'/>`,
			`<source file='${key}'/><target dev='vd${'abc'[number]}' bus='virtio'/><alias name='ua-${number}'/></disk>`,
		].join(''),
	);
	const define = async (uuid: string) => {
		const file = join(directory, 'domain.xml');
		const xml = [
			`<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>${more}`,
			`<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>${disks.join('')}${devices}`,
			"<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>",
		];
		await writeFile(file, xml.join(''));
		await libvirt.virsh('define', file);
	};
	const start = async () => void (await libvirt.virsh('start', name, '--paused'));
	const monitor = async (execute: string, args?: Record<string, unknown>) =>
		libvirt.virsh('qemu-monitor-command', name, JSON.stringify({ execute, ...(args && { arguments: args }) }));
	const nodes = async () =>
		nodesSchema.parse(JSON.parse(await monitor('query-named-block-nodes', { flat: true }))).return;
	const checkpoints = async () =>
		(await libvirt.virsh('checkpoint-list', name, '--name')).split('\n').filter(line => line !== '');
	const isBackedUp = async () =>
		libvirt.virsh('backup-dumpxml', name).then(
			() => true,
			() => false,
		);
	const describe = (checkpoint: string) => libvirt.virsh('checkpoint-dumpxml', name, checkpoint);
	await define(randomUUID());
	await start();
	const io = async (number: number, order: string) => {
		const device = `/machine/peripheral/ua-${number}/virtio-backend`;
		await libvirt.virsh('qemu-monitor-command', name, '--hmp', `qemu-io -d ${device} "${order}"`);
	};
	const write = async (key: string, offsetBytes: number, bytes: Buffer) => {
		const file = join(directory, 'written');
		await writeFile(file, bytes);
		await chmod(file, 0o644);
		const before = (await libvirt.log(name)).length;
		await io(keys.indexOf(key), `write -s ${file} ${offsetBytes} ${bytes.length}`);
		const said = `wrote ${bytes.length}/${bytes.length} bytes`;
		await waitFor('QEMU to have written', async () => (await libvirt.log(name)).slice(before).includes(said), {
			timeoutMs: 10_000,
			everyMs: 5,
		});
		contents.get(key)?.set(bytes, offsetBytes);
	};
	const [first = '', second] = keys;
	await write(first, 128 * kib, noise(192 * kib, 1));
	if (second !== undefined) await write(second, 0, noise(100 * kib, 2));
	const uri = `libvirt://${name}?connect=${libvirt.connect}`;
	const source = (options: LibvirtSourceOptions = {}, query = '') =>
		new LibvirtMachineSource(`${uri}${query}`, options);
	return {
		directory,
		name,
		uri,
		keys,
		source,
		start,
		flush: async () => {
			for (const number of keys.keys()) await io(number, 'flush');
		},
		bitmaps: async () => (await nodes()).flatMap(node => node['dirty-bitmaps'].flatMap(one => one.name ?? [])),
		open: ({ diesAt } = {}) =>
			source({
				reached: place => {
					if (place === diesAt) throw new RouseError('interrupted', 'this process is dead');
				},
			}),
		places: ['scratch', 'taken', 'begun'],
		secrets: [],
		guest: { write, content: async key => Buffer.from(contents.get(key) ?? Buffer.alloc(0)) },
		owner: {
			addDisk: async () => {
				const path = join(directory, 'added');
				await image(path, 'qcow2', 64 * kib);
				await libvirt.virsh('attach-disk', name, path, 'vdd', '--subdriver', 'qcow2', '--targetbus', 'virtio');
			},
			replaceMachine: async () => {
				const described = await Promise.all((await checkpoints()).map(one => describe(one)));
				const [before, uuid] = [(await libvirt.virsh('domuuid', name)).trim(), randomUUID()];
				await libvirt.virsh('destroy', name);
				await libvirt.virsh('undefine', name, '--checkpoints-metadata');
				await define(uuid);
				await start();
				// As somebody does who wants a new definition to know all that the old one knew.
				for (const xml of described) {
					const file = join(directory, 'checkpoint.xml');
					await writeFile(file, xml.replaceAll(before, uuid));
					await libvirt.virsh('checkpoint-create', name, file, '--redefine');
				}
			},
			beBusy: async () => {
				const theirs = join(directory, 'theirs');
				await mkdir(theirs);
				await libvirt.give(theirs);
				const order = join(directory, 'their.xml');
				const server = `<server transport='unix' socket='${join(theirs, 'nbd')}'/>`;
				const disk = `<disk name='vda' backup='yes' type='file'><scratch file='${join(theirs, 'scratch')}'/></disk>`;
				await writeFile(order, `<domainbackup mode='pull'>${server}<disks>${disk}</disks></domainbackup>`);
				await libvirt.virsh('backup-begin', name, order);
			},
		},
		fate: {
			loseCheckpoints: async () => {
				for (const { 'node-name': node, 'dirty-bitmaps': bitmaps } of await nodes())
					for (const bitmap of bitmaps)
						if (bitmap.name !== undefined && !bitmap.busy)
							await monitor('block-dirty-bitmap-remove', { node, name: bitmap.name });
			},
			loseMoments: async () => {
				await libvirt.virsh('domjobabort', name);
				await waitFor('libvirt to end the backup', async () => !(await isBackedUp()), { timeoutMs: 20_000 });
			},
		},
		dispose: async () => {
			await libvirt.virsh('destroy', name).catch(() => undefined); // it may be off already
			await libvirt.virsh('undefine', name, '--checkpoints-metadata');
			await rm(directory, { recursive: true, force: true });
		},
	};
}
