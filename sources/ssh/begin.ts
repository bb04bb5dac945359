/** A moment of a machine's volumes: what is looked at before, the snapshots, and what is noted of them. */
import { randomUUID } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import { type Consistency, machineConsistency } from '../../model/source-facts.ts';
import type { Reached } from '../../system/reached.ts';
import type { BeginOrder } from '../machine/documents.ts';
import { mustBePlanned } from '../machine/planned.ts';
import { capture, captureAgain, type Captured, mustLast, recordedAreas } from './capture.ts';
import { composeMachine, type ComposedDisk, devicePath, layoutDigest } from './compose/machine.ts';
import { mustBeLittle, stillDigest } from './compose/still.ts';
import type { FarFacts } from './facts/facts.ts';
import type { ReportedVolume } from './facts/lvm-reports.ts';
import { type Layout, layoutOf } from './layout.ts';
import { disksOf, sizesOf } from './machine.ts';
import { markedIn, type MarkedVolume, marksOf, recordTags, snapshotName } from './marks.ts';
import type { FarPlatform, SnapshotKept } from './platform.ts';
import type { Ranges } from './ranges.ts';
import { type RoomFor, roomFor } from './room.ts';
import { inOrder, type KeptInTries, noteKept } from './snapshot-order.ts';
import type { MomentRecord, RecordedSnapshot } from './state.ts';
import { areTogether } from './together.ts';

/** How often it is tried to have snapshots between which nothing was written. */
const mostTries = 3;

export interface BeginPlaces {
	platform: FarPlatform;
	reached: Reached;
	now: () => Date;
	signal: AbortSignal;
}

interface Prepared {
	layout: Layout;
	captured: Captured;
	/** In the order in which they are made. */
	rooms: RoomFor[];
	composed: ComposedDisk[];
	still: MomentRecord['state']['still'];
}

/** Of a tag of which nothing is there. When it throws, what it has made is removed, as far as the machine is reached. */
export async function beginSnapshots(places: BeginPlaces, order: BeginOrder): Promise<MomentRecord> {
	const { platform, signal } = places;
	const { tag, owner } = order;
	// Another attempt of the same import may be at it, which nobody waits for any more: neither removes what is the other's.
	const set = randomUUID();
	const inTries: KeptInTries = new Map();
	const ranges = await platform.ranges(signal);
	try {
		for (let tries = 1; ; tries++) {
			const prepared = await prepare(places, order, { ranges, inTries });
			places.reached('prepared');
			const made = await makeSnapshots(places, { tag, owner, set }, prepared, ranges);
			places.reached('snapshots');
			if (made.together || tries === mostTries) return await note(places, prepared, made);
			noteKept(inTries, prepared.rooms, made.kept);
			await removeTag(platform, { tag, owner, set }, signal);
		}
	} catch (error) {
		// What cannot be removed now carries the tag: who begins again, or gives up, finds it.
		await removeTag(platform, { tag, owner, set }, signal).catch(() => {});
		throw error;
	} finally {
		await ranges.close();
	}
}

/** All snapshots that were made for an import; with `set`, those of one begin. */
export async function removeTag(
	platform: FarPlatform,
	{ tag, owner, set }: Pick<BeginOrder, 'tag' | 'owner'> & { set?: string },
	signal: AbortSignal,
): Promise<void> {
	// One whose session was cut may still be making them.
	const marked = markedIn(await platform.volumesAtRest(signal));
	await platform.remove(
		marked.filter(one => one.tag === tag && one.owner === owner && (set ?? one.set) === one.set),
		signal,
	);
}

/** What is read as it lies there is read last before the snapshots, and what LVM has noted is compared when they are made. */
async function prepare(
	{ platform, signal }: BeginPlaces,
	order: BeginOrder,
	{ ranges, inTries }: { ranges: Ranges; inTries: KeptInTries },
): Promise<Prepared> {
	const facts = await platform.facts(signal);
	const disks = disksOf(facts);
	mustBePlanned(sizesOf(disks), order);
	const layout = layoutOf(facts, disks);
	mustBeAlone(markedIn(facts.volumes), layout);
	const rooms = inOrder(roomFor(layout.volumes, facts), inTries);
	await platform.sync(signal);
	const captured = await capture(layout, ranges, signal);
	mustBeOfOneState(captured, facts);
	mustLast(captured, rooms.length);
	const snapshots = rooms.map(({ volume }, number) => ({
		group: volume.group,
		origin: volume.name,
		name: snapshotName(order.tag, number),
	}));
	const composed = composeMachine({ layout, captured, snapshots, pageBytes: facts.pageBytes });
	mustBeLittle(composed);
	const still: Prepared['still'] = [];
	for (const disk of composed)
		still.push({ disk: disk.key, layout: layoutDigest(disk), sha256: await stillDigest(disk, ranges, signal) });
	return { layout, captured, rooms, composed, still };
}

/** What LVM was asked, and what was read of its own notes a little later. */
function mustBeOfOneState({ groups: noted }: Captured, { groups }: FarFacts): void {
	for (const { name, seqno } of noted.values()) {
		const told = groups.find(group => group.vg_name === name);
		if (told === undefined)
			throw new RouseError('source_invalid', `LVM there does not know group ${name}, which lies on its disks`, {
				hint: 'a filter or a list of devices in /etc/lvm may hide it',
			});
		if (told.vg_seqno !== seqno)
			throw new RouseError('source_changed', `group ${name} of LVM was changed while it was looked at`, {
				hint: 'begin anew',
			});
	}
}

/** Another import's snapshots would be in what LVM has noted, and so in the disk. */
function mustBeAlone(marked: readonly MarkedVolume[], { volumes }: Layout): void {
	const other = marked.find(({ group }) => volumes.some(volume => volume.group === group));
	if (other === undefined) return;
	throw new RouseError(
		'source_busy',
		`${other.group}/${other.name} is the snapshot of import ${other.tag}, of ${other.owner}`,
		{
			hint: 'wait until that import has ended; when nobody goes on with it, give it up',
		},
	);
}

interface Made {
	set: string;
	snapshots: RecordedSnapshot[];
	/** In the same order. */
	kept: SnapshotKept[];
	together: boolean;
	takenAt: Date;
}

async function makeSnapshots(
	{ platform, now, signal }: BeginPlaces,
	mark: { tag: string; owner: string; set: string },
	{ captured, rooms }: Prepared,
	ranges: Ranges,
): Promise<Made> {
	const wishes = rooms.map(({ volume: { group, name: origin }, extents }, number) => ({
		group,
		origin,
		extents,
		name: snapshotName(mark.tag, number),
	}));
	const groups = [...captured.groups.values()].filter(({ name }) => wishes.some(({ group }) => group === name));
	const kept = await platform.snapshot({ groups, snapshots: wishes, tags: marksOf(mark) }, signal);
	const takenAt = now();
	const volumes = await platform.volumes(signal);
	mustBeAsLarge(volumes, rooms);
	const there = markedIn(volumes).filter(one => one.tag === mark.tag && one.set === mark.set);
	const snapshots = wishes.map(({ group, origin, name }) => {
		const found = there.find(one => one.group === group && one.name === name);
		if (found === undefined) throw new RouseError('source_changed', `snapshot ${group}/${name} is gone already`);
		return { group, origin, name, uuid: found.uuid };
	});
	const made = snapshots.map(({ group, name }, index) => ({
		group,
		name,
		path: devicePath(group, name),
		volumePath: rooms[index]?.volume.path ?? '',
		kept: kept[index],
	}));
	return { set: mark.set, snapshots, kept, together: await areTogether(made, { platform, ranges }, signal), takenAt };
}

/** One that grew before its own snapshot and after another's has more than is noted of it: its file system would be cut. */
function mustBeAsLarge(volumes: readonly ReportedVolume[], rooms: readonly RoomFor[]): void {
	for (const { volume } of rooms) {
		const { group, name, sizeBytes } = volume;
		const now = volumes.find(one => one.vg_name === group && one.lv_name === name)?.lv_size;
		if (now !== sizeBytes)
			throw new RouseError(
				'source_changed',
				`volume ${group}/${name} had ${sizeBytes} bytes, and has ${now ?? 'none'}`,
				{
					hint: 'begin anew',
				},
			);
	}
}

/** The first snapshot says it all: from then on the moment is found again. */
async function note(
	{ platform, reached, signal }: BeginPlaces,
	{ layout, captured, composed, still }: Prepared,
	{ set, snapshots, together, takenAt }: Made,
): Promise<MomentRecord> {
	const areas = recordedAreas(captured);
	await mustBeThere(platform, { layout, areas }, signal);
	const consistencies = new Map(
		composed.map(({ key }) => [key, together ? weakestOn(layout, key, captured) : ('none' as const)]),
	);
	const record: MomentRecord = {
		takenAt: takenAt.toISOString(),
		together,
		disks: composed.map(({ key, sizeBytes }) => ({ key, sizeBytes, consistency: consistencies.get(key) ?? 'none' })),
		state: { version: 1, reads: 'snapshots', snapshots, areas, still },
	};
	const [first] = snapshots;
	if (first === undefined) throw new RouseError('internal', 'a moment without snapshots');
	await platform.addTags(first, recordTags(record, set), signal);
	reached('begun');
	return record;
}

/** The snapshots are noted behind what was captured, and must not have come around to it. */
async function mustBeThere(
	platform: FarPlatform,
	{ layout, areas }: { layout: Layout; areas: MomentRecord['state']['areas'] },
	signal: AbortSignal,
): Promise<void> {
	const ranges = await platform.ranges(signal);
	try {
		await captureAgain(layout, areas, ranges, signal);
	} finally {
		await ranges.close();
	}
}

/** Of the volumes that lie on a disk. */
function weakestOn(layout: Layout, key: string, captured: Captured): Consistency {
	const ids = captured.physical.filter(({ disk }) => disk === key).map(({ id }) => id);
	const volumes = layout.volumes.filter(({ group, name, isSwap }) => {
		if (isSwap) return false;
		const segments = captured.groups.get(group)?.volumes.find(one => one.name === name)?.segments ?? [];
		return segments.some(({ memberId }) => ids.includes(memberId));
	});
	// What nobody has written to from the beginning to the end is as it was after a loss of power, at least.
	if (volumes.length === 0) return 'crash';
	return machineConsistency(volumes, true);
}
