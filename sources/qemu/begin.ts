import { randomUUID } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import type { Reached } from '../../system/reached.ts';
import type { BeginOrder } from '../machine/documents.ts';
import { type Recorded, recordedSince } from './bitmaps.ts';
import type { LookedDisk } from './machine.ts';
import { isRefusal, type Monitor } from './monitor.ts';
import { bitmapName, diskName } from './names.ts';
import { removeAll } from './remove.ts';
import { mustHaveRoom } from './room.ts';
import type { Scratch, Taken } from './scratch.ts';
import { type GuestAgent, whileStill } from './still.ts';

export interface Beginning {
	order: BeginOrder;
	disks: readonly LookedDisk[];
	directory: string;
	scratch: Scratch;
	/** As whom QEMU runs. */
	user: { uid: number; gid: number };
	agent: GuestAgent | undefined;
	reached: Reached;
	now: () => Date;
	signal: AbortSignal;
}

/** As block/dirty-bitmap.c has it by default for images in clusters of 64 KiB. */
const granularityBytes = 65_536;

/** A disk, and what is made for it. */
interface Made {
	node: string;
	/** Of the scratch node, the job and the export. */
	name: string;
	persistent: boolean;
	newBitmap: string;
	/** What was recorded until then, and the bitmap that it is copied to. */
	copied: { from: string; to: string } | undefined;
}

/**
 * Takes a moment. When QEMU refuses a part of it nothing of it is left. What has recorded writes since the checkpoint before goes on recording,
 * and is copied to be read: so an increment from there is right whether this moment is ever committed or not.
 */
export async function takeMoment(monitor: Monitor, beginning: Beginning): Promise<Taken> {
	const { order, disks, directory, scratch, user, agent, reached, now, signal } = beginning;
	const set = randomUUID();
	const sizes = disks.map(({ described }) => described.sizeBytes);
	const made = disks.map((disk, number) => madeOf(order, { disk, number, set }));
	await mustHaveRoom(directory, sizes);
	await scratch.make(order, { sizes, user, signal });
	reached('scratch');
	await startServer(monitor, scratch);
	reached('server');
	try {
		for (const [number, disk] of made.entries()) await addScratchNode(monitor, scratch.file(number), disk);
		reached('nodes');
		const { result: takenAt, isStill } = await whileStill(agent, scratch, async () => {
			await monitor.order('transaction', { actions: actionsOf(made) });
			return now().toISOString();
		});
		reached('taken');
		for (const disk of made) await addExport(monitor, disk);
		reached('exported');
		const taken: Taken = {
			set,
			takenAt,
			consistency: isStill ? 'file-system' : 'crash',
			disks: disks.map(({ described: { key, sizeBytes } }, number) => ({
				key,
				sizeBytes,
				changes: made[number]?.copied !== undefined,
			})),
		};
		await scratch.noteTaken(taken);
		return taken;
	} catch (error) {
		if (!isRefusal(error)) throw error;
		await removeAll(monitor, order, { scratches: [scratch], agent });
		throw /busy|in use|blocked/i.test(error.message) ? busy(error) : error;
	}
}

function madeOf(
	{ tag, owner, since }: BeginOrder,
	{ disk: { attached }, number, set }: { disk: LookedDisk; number: number; set: string },
): Made {
	const { key, node, keepsBitmaps } = attached;
	const recorded: Recorded = recordedSince(attached, since);
	const to = bitmapName({ tag, owner, set, role: 'copy', key });
	return {
		node,
		name: diskName({ tag, owner }, number),
		persistent: keepsBitmaps,
		newBitmap: bitmapName({ tag, owner, set, role: 'new', key }),
		copied: 'name' in recorded ? { from: recorded.name, to } : undefined,
	};
}

/** A QEMU has one, for whoever comes first. */
async function startServer(monitor: Monitor, scratch: Scratch): Promise<void> {
	try {
		await monitor.order('nbd-server-start', { addr: { type: 'unix', data: { path: scratch.socket } } });
	} catch (error) {
		if (!isRefusal(error)) throw error;
		await scratch.remove();
		throw /already running/i.test(error.message) ? busy(error) : error;
	}
}

/** What the job copies there is what the guest is about to overwrite; all else is read through to the disk. */
async function addScratchNode(monitor: Monitor, filename: string, { name, node }: Made): Promise<void> {
	await monitor.order('blockdev-add', {
		driver: 'qcow2',
		'node-name': name,
		backing: node,
		discard: 'unmap',
		// It is of no use after a crash.
		cache: { 'no-flush': true },
		file: { driver: 'file', filename },
	});
}

/**
 * The jobs come first: from the first one on to the end of the transaction no write of the guest to its disk is done, so that bitmaps and
 * moment agree also where disks are written by threads of their own (iothread).
 */
function actionsOf(made: readonly Made[]): unknown[] {
	return [
		...made.map(({ node, name }) =>
			action('blockdev-backup', { device: node, target: name, sync: 'none', 'job-id': name }),
		),
		...made.flatMap(({ node, persistent, newBitmap, copied }) => {
			const granularity = granularityBytes;
			const begun = action('block-dirty-bitmap-add', { node, name: newBitmap, granularity, persistent });
			if (copied === undefined) return [begun];
			const { from, to: name } = copied;
			return [
				action('block-dirty-bitmap-add', { node, name, granularity, persistent: false, disabled: true }),
				action('block-dirty-bitmap-merge', { node, target: name, bitmaps: [from] }),
				begun,
			];
		}),
	];
}

function action(type: string, data: Record<string, unknown>): unknown {
	return { type, data };
}

async function addExport(monitor: Monitor, { name, copied }: Made): Promise<void> {
	await monitor.order('block-export-add', {
		type: 'nbd',
		id: name,
		'node-name': name,
		name,
		...(copied === undefined ? {} : { bitmaps: [copied.to] }),
	});
}

function busy(cause: RouseError): RouseError {
	return new RouseError('source_busy', `somebody else is at work on the disks of this machine: ${cause.message}`, {
		cause,
		hint: 'wait until another backup, or a copy of its disks, has ended',
	});
}
