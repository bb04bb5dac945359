/** Block devices as lsblk(8) tells them; older ones write numbers and truths as text. */
import * as z from 'zod';

const textSchema = z
	.string()
	.nullish()
	// Errors quote it.
	.transform(text => (text ?? '').trim().replaceAll(/\p{C}/gu, '?') || null);
const numberSchema = z.coerce.number().int().min(0);
const truthSchema = z.union([z.boolean(), z.enum(['0', '1']).transform(text => text === '1')]);

const mostDepth = 12;

export interface Block {
	/** `/dev/sda1`. */
	name: string;
	/** `disk`, `part`, `lvm`, `crypt`, `raid1`, `mpath`, `rom`, `loop`, … */
	type: string;
	sizeBytes: number;
	isRemovable: boolean;
	isReadOnly: boolean;
	serial: string | null;
	wwn: string | null;
	model: string | null;
	tableId: string | null;
	fileSystem: string | null;
	mountPoints: string[];
	logicalSectorBytes: number;
	physicalSectorBytes: number;
	/** What lies on it. */
	children: Block[];
}

const shallowSchema = z.object({
	name: z.string().regex(/^\/dev\/[\w./:+@-]{1,200}$/),
	type: z.string().regex(/^[\w-]{1,40}$/),
	size: numberSchema,
	rm: truthSchema,
	ro: truthSchema,
	serial: textSchema,
	wwn: textSchema,
	model: textSchema,
	ptuuid: textSchema,
	fstype: textSchema,
	mountpoint: textSchema,
	mountpoints: z.array(textSchema).nullish(),
	'log-sec': numberSchema,
	'phy-sec': numberSchema,
	children: z.array(z.unknown()).max(1024).nullish(),
});

const reportSchema = z.object({ blockdevices: z.array(z.unknown()).max(4096) });

/** Throws what zod throws, and SyntaxError. */
export function parseBlocks(text: string): Block[] {
	return reportSchema.parse(JSON.parse(text)).blockdevices.map(device => blockOf(device, 0));
}

function blockOf(value: unknown, depth: number): Block {
	const device = shallowSchema.parse(value);
	if (depth > mostDepth) throw new SyntaxError('devices lie on devices without an end');
	const points = [device.mountpoint, ...(device.mountpoints ?? [])];
	return {
		name: device.name,
		type: device.type,
		sizeBytes: device.size,
		isRemovable: device.rm,
		isReadOnly: device.ro,
		serial: device.serial,
		wwn: device.wwn,
		model: device.model,
		tableId: device.ptuuid,
		fileSystem: device.fstype,
		mountPoints: [...new Set(points.filter(point => point !== null))],
		logicalSectorBytes: device['log-sec'],
		physicalSectorBytes: device['phy-sec'],
		children: (device.children ?? []).map(child => blockOf(child, depth + 1)),
	};
}
