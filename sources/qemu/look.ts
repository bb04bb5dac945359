/** The answers of QEMU that are used, and no more of each than is used: qapi/block-core.json, block-export.json, job.json. */
import { dirname, isAbsolute } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { Monitor } from './monitor.ts';

const bitmapSchema = z.object({
	/** Absent: one of a job's own. */
	name: z.string().optional(),
	/** Bytes that are marked. */
	count: z.int().min(0),
	recording: z.boolean(),
	busy: z.boolean(),
	/** It was in use when QEMU ended, and what it says is not to be relied on. */
	inconsistent: z.boolean().default(false),
});
export type Bitmap = z.infer<typeof bitmapSchema>;

const blocksSchema = z.array(
	z.object({
		device: z.string(),
		qdev: z.string().optional(),
		removable: z.boolean(),
		inserted: z
			.object({
				'node-name': z.string().optional(),
				drv: z.string(),
				ro: z.boolean(),
				image: z.object({
					filename: z.string(),
					'virtual-size': z.int().min(0),
					'format-specific': z.object({ data: z.object({ compat: z.string().optional() }).optional() }).optional(),
				}),
				'dirty-bitmaps': z.array(bitmapSchema).default([]),
			})
			.optional(),
	}),
);

/** What a guest's device has in it. */
export interface Attached {
	key: string;
	/** Its device, as a path of QEMU's objects. */
	device: string;
	removable: boolean;
	/** The node that the guest writes to. */
	node: string;
	readOnly: boolean;
	sizeBytes: number;
	/** Undefined for what is no file, or one that QEMU calls by a name which means something to itself alone. */
	directory: string | undefined;
	/** Whether a job copies what is overwritten: then `node` is its filter, and bitmaps of the disk below are not told. */
	isCopied: boolean;
	/** Whether its format can keep bitmaps, so that they outlive QEMU. */
	keepsBitmaps: boolean;
	bitmaps: readonly Bitmap[];
}

/** What is attached to a device of the guest, in QEMU's own order. */
export async function lookAtDisks(monitor: Monitor): Promise<Attached[]> {
	return (await monitor.ask('query-block', blocksSchema)).flatMap(({ device, qdev, removable, inserted }) => {
		const node = inserted?.['node-name'];
		if (qdev === undefined || inserted === undefined || node === undefined) return [];
		const { drv, ro, image, 'dirty-bitmaps': bitmaps } = inserted;
		return {
			key: keyOf(device, qdev),
			device: qdev.startsWith('/') ? qdev : `/machine/peripheral/${qdev}`,
			removable,
			node,
			readOnly: ro,
			sizeBytes: image['virtual-size'],
			directory: directoryOf(image.filename),
			isCopied: drv === 'copy-before-write',
			// Version 2 has no room for them.
			keepsBitmaps: drv === 'qcow2' && image['format-specific']?.data?.compat !== '0.10',
			bitmaps,
		};
	});
}

/** The device's id where it was given one, else the drive's: both are the same when QEMU is started again in the same way. */
function keyOf(drive: string, qdev: string): string {
	const id = qdev.startsWith('/') ? /^\/machine\/peripheral\/([^/]+)/.exec(qdev)?.[1] : qdev;
	return printed(id ?? (drive === '' ? qdev : drive));
}

/** Names that QEMU was given may have anything in them. */
export function printed(text: string): string {
	return text.replaceAll(/\p{C}/gu, '?').slice(0, 200).toWellFormed();
}

/** Of a file; devices lie where nothing else is to be put. */
function directoryOf(filename: string): string | undefined {
	const path = filename.startsWith('json:') ? pathIn(filename.slice('json:'.length)) : filename;
	return path !== undefined && isAbsolute(path) && !path.startsWith('/dev/') ? dirname(path) : undefined;
}

const nestedSchema = z.object({ file: z.unknown().optional(), driver: z.string(), filename: z.string().optional() });

/** QEMU names an image so when its path alone would not open it in the same way. */
function pathIn(json: string): string | undefined {
	try {
		for (let node: unknown = JSON.parse(json); ; ) {
			const { driver, filename, file } = nestedSchema.parse(node);
			if (driver === 'file') return filename;
			node = file;
		}
	} catch {
		return undefined; // no file, or none that is told in a way that is known here
	}
}

const nodesSchema = z.array(
	z.object({
		'node-name': z.string().optional(),
		file: z.string(),
		ro: z.boolean(),
		'dirty-bitmaps': z.array(bitmapSchema).default([]),
	}),
);

/** Every block node that has a name, with its bitmaps. */
export async function lookAtNodes(
	monitor: Monitor,
): Promise<{ node: string; directory: string | undefined; readOnly: boolean; bitmaps: readonly Bitmap[] }[]> {
	return (await monitor.ask('query-named-block-nodes', nodesSchema, { flat: true })).flatMap(found => {
		const { 'node-name': node, file, ro, 'dirty-bitmaps': bitmaps } = found;
		return node === undefined ? [] : { node, directory: directoryOf(file), readOnly: ro, bitmaps };
	});
}

const jobsSchema = z.array(z.object({ id: z.string(), status: z.string(), error: z.string().optional() }));

export async function lookAtJobs(monitor: Monitor): Promise<z.infer<typeof jobsSchema>> {
	return monitor.ask('query-jobs', jobsSchema);
}

const exportsSchema = z.array(z.object({ id: z.string(), type: z.string(), 'shutting-down': z.boolean() }));

export async function lookAtExports(monitor: Monitor): Promise<z.infer<typeof exportsSchema>> {
	return monitor.ask('query-block-exports', exportsSchema);
}

const chardevsSchema = z.array(z.object({ label: z.string() }));

/** Whether a supervisor of Rouse runs it: that has a monitor of its own there (hypervisors/qemu/command-line.ts). */
export async function hasSupervisor(monitor: Monitor): Promise<boolean> {
	return (await monitor.ask('query-chardev', chardevsSchema)).some(({ label }) => label === 'supervisor-monitor');
}

const uuidSchema = z.object({ UUID: z.string() });
const nameSchema = z.object({ name: z.string().optional() });

/** What the machine is, and what people call it. */
export async function lookAtIdentity(monitor: Monitor): Promise<{ identity: string; name: string }> {
	const { UUID: uuid } = await monitor.ask('query-uuid', uuidSchema);
	const { name } = await monitor.ask('query-name', nameSchema);
	const isSet = !/^[0-]*$/.test(uuid);
	if (isSet) return { identity: uuid, name: name ?? uuid };
	if (name !== undefined) return { identity: `name ${name}`, name };
	throw new RouseError('source_invalid', 'this QEMU has neither a UUID nor a name: nobody could tell it from another', {
		hint: 'start it with -uuid',
	});
}

/** Throws `identity_conflict` when another machine is at the address. */
export async function mustBe(monitor: Monitor, identity: string): Promise<void> {
	const found = await lookAtIdentity(monitor);
	if (found.identity === identity) return;
	throw new RouseError('identity_conflict', `the machine there is ${found.identity}, not ${identity}`);
}
