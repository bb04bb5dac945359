import type { FarFacts } from './facts/facts.ts';
import type { ReportedVolume } from './facts/lvm-reports.ts';
import type { Ranges } from './ranges.ts';

/** What a source does on the machine. Whatever changes something there waits until nobody else of us does. */
export interface FarPlatform {
	/** For people. */
	readonly name: string;

	/** Changes nothing. */
	facts(signal: AbortSignal): Promise<FarFacts>;

	/** Changes nothing. None where there is no LVM. */
	volumes(signal: AbortSignal): Promise<ReportedVolume[]>;

	/** The same when nobody of us changes any: what a session that was cut was making is made then. `source_busy` when that lasts. */
	volumesAtRest(signal: AbortSignal): Promise<ReportedVolume[]>;

	/** Writes out what the system has not yet written to its disks. */
	sync(signal: AbortSignal): Promise<void>;

	/**
	 * Makes these snapshots in this order, all or none, and tells what each has kept when the last one had been made. Throws
	 * `source_changed` when a group is not as it was; `space_short`, `access_denied`, `source_invalid` where somebody has to mend
	 * something before LVM makes any; `tool_failed` for what may pass.
	 */
	snapshot(order: SnapshotOrder, signal: AbortSignal): Promise<SnapshotKept[]>;

	/** What snapshots have kept until now. Changes nothing. */
	kept(snapshots: readonly VolumeName[], signal: AbortSignal): Promise<SnapshotKept[]>;

	/** All tags at once, or none. */
	addTags(volume: VolumeName, tags: readonly string[], signal: AbortSignal): Promise<void>;

	/** Removes volumes; those that are not there any more are no error. `source_busy` when one is in use. */
	remove(volumes: readonly VolumeName[], signal: AbortSignal): Promise<void>;

	/** Whoever opened it closes it. */
	ranges(signal: AbortSignal): Promise<Ranges>;
}

export interface VolumeName {
	group: string;
	name: string;
}

export interface SnapshotOrder {
	/** The state of each group's metadata that was looked at. */
	groups: readonly { name: string; seqno: number }[];
	snapshots: readonly SnapshotWish[];
	tags: readonly string[];
}

export interface SnapshotWish extends VolumeName {
	/** The volume of which it is a snapshot. */
	origin: string;
	/** For what is overwritten meanwhile. */
	extents: number;
}

/** How much of its volume was written to since. */
export interface SnapshotKept {
	name: string;
	/** Whatever is written, so much around it is kept. */
	chunkBytes: number;
	chunks: number;
}
