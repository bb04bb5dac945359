import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { Reached } from '../../system/reached.ts';
import type { BeginOrder, DescribedDisk } from '../machine/documents.ts';
import { diskName } from '../qemu/names.ts';
import { mustHaveRoom } from '../qemu/room.ts';
import type { Scratch, Taken } from '../qemu/scratch.ts';
import { type GuestAgent, whileStill } from '../qemu/still.ts';
import { recordedSince } from './checkpoints.ts';
import type { Domain, DomainDisk } from './domain.ts';
import { checkpointName } from './names.ts';
import { isRefusal, type Virsh } from './virsh.ts';
import { escaped } from './xml.ts';

/** With its size. */
export type SizedDisk = DomainDisk & DescribedDisk;

export interface Beginning {
	order: BeginOrder;
	domain: Domain;
	disks: readonly SizedDisk[];
	directory: string;
	scratch: Scratch;
	user: { uid: number; gid: number };
	agent: GuestAgent | undefined;
	reached: Reached;
	now: () => Date;
	signal: AbortSignal;
	/** Everything of this import. */
	remove: () => Promise<void>;
}

/** What is made for a disk. */
interface Made {
	target: string;
	scratchFile: string;
	/** Of its export, and of the bitmap of what was written to it, while it is read. */
	name: string;
	/** The checkpoint since which its changes are told. */
	since: string | undefined;
	keepsBitmaps: boolean;
}

/**
 * Takes a moment: one job for all disks, and a checkpoint with it. When libvirt refuses it nothing of it is left. Older checkpoints record on: so
 * an increment from one is right whether this moment is ever committed or not.
 */
export async function takeMoment(virsh: Virsh, beginning: Beginning): Promise<Taken> {
	const { order, domain, disks, directory, scratch, user, agent, reached, now, signal, remove } = beginning;
	const set = randomUUID();
	const sizes = disks.map(({ sizeBytes }) => sizeBytes);
	await mustHaveRoom(directory, sizes);
	await scratch.make(order, { sizes, user, signal });
	reached('scratch');
	const recorded = await recordedSince(virsh, { uuid: domain.uuid, disks }, order.since, signal);
	const made = disks.map(({ key, target, keepsBitmaps }, number): Made => {
		const of = recorded.get(key);
		const since = of !== undefined && 'name' in of ? of.name : undefined;
		return { target, scratchFile: scratch.file(number), name: diskName(order, number), since, keepsBitmaps };
	});
	const files = await writeOrders(scratch, { made, name: checkpointName({ ...order, set }) });
	try {
		const { result: takenAt, isStill } = await whileStill(agent, scratch, async () => {
			await virsh('backup-begin', ['--domain', domain.uuid, ...files, '--reuse-external'], { signal });
			return now().toISOString();
		});
		reached('taken');
		const taken: Taken = {
			set,
			takenAt,
			consistency: isStill ? 'file-system' : 'crash',
			disks: disks.map(({ key, sizeBytes }, number) => ({
				key,
				sizeBytes,
				changes: made[number]?.since !== undefined,
			})),
		};
		await scratch.noteTaken(taken);
		return taken;
	} catch (error) {
		if (!isRefusal(error) && !isBusy(error)) throw error;
		await remove();
		throw explained(error);
	}
}

/** `virsh` reads them; they lie where nobody but us writes. */
async function writeOrders(
	scratch: Scratch,
	{ made, name }: { made: readonly Made[]; name: string },
): Promise<string[]> {
	const [backup, checkpoint] = ['backup.xml', 'checkpoint.xml'].map(file => join(scratch.path, file));
	if (backup === undefined || checkpoint === undefined) throw new TypeError('two paths');
	await writeFile(backup, backupXml(scratch.socket, made));
	// libvirt takes none without a disk.
	if (made.every(({ keepsBitmaps }) => !keepsBitmaps)) return ['--backupxml', backup];
	await writeFile(checkpoint, checkpointXml(name, made));
	return ['--backupxml', backup, '--checkpointxml', checkpoint];
}

/** Disks that are not named in it are left alone. */
export function backupXml(socket: string, made: readonly Made[]): string {
	const disks = made.map(({ target, scratchFile, name, since }) => {
		const mode =
			since === undefined
				? "backupmode='full'"
				: `backupmode='incremental' incremental='${escaped(since)}' exportbitmap='${name}'`;
		return [
			`<disk name='${escaped(target)}' backup='yes' type='file' ${mode} exportname='${name}'>`,
			`<driver type='qcow2'/><scratch file='${escaped(scratchFile)}'/></disk>`,
		].join('');
	});
	const server = `<server transport='unix' socket='${escaped(socket)}'/>`;
	return `<domainbackup mode='pull'>${server}<disks>${disks.join('')}</disks></domainbackup>\n`;
}

export function checkpointXml(name: string, made: readonly Pick<Made, 'target' | 'keepsBitmaps'>[]): string {
	const disks = made.map(
		({ target, keepsBitmaps }) => `<disk name='${escaped(target)}' checkpoint='${keepsBitmaps ? 'bitmap' : 'no'}'/>`,
	);
	return `<domaincheckpoint><name>${escaped(name)}</name><disks>${disks.join('')}</disks></domaincheckpoint>\n`;
}

function isBusy(error: unknown): error is RouseError {
	return error instanceof RouseError && error.code === 'source_busy';
}

function explained(cause: RouseError): RouseError {
	if (/active block job|already running|in use|blocked/i.test(cause.message))
		return new RouseError('source_busy', `somebody else is at work on the disks of this machine: ${cause.message}`, {
			cause,
			hint: 'wait until another backup, or a copy of its disks, has ended',
		});
	if (/qcow2 v2/i.test(cause.message))
		return new RouseError('source_invalid', cause.message, {
			cause,
			hint: 'images of version 2 keep no bitmaps: power the machine off, and qemu-img amend -o compat=1.1 IMAGE',
		});
	return cause;
}
