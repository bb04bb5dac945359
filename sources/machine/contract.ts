/**
 * Where a whole machine comes from. The words MUST and MAY are those of RFC 2119. Whoever implements this runs the conformance
 * suite (CONTRIBUTING.md, "Add a machine source").
 *
 * Laws:
 * - What `begin` makes on the platform carries tag and owner from the first moment on, so that it is found after a crash between
 *   any two calls; nothing that does not carry them is ever changed.
 * - A machine at this address whose identity is another is `identity_conflict`, before any effect.
 * - `begin` and then `abandon` leave no trace: an increment from the checkpoint before is as right as if neither had been.
 * - `begin`, `commit` and `abandon` are idempotent, each from a process that knows nothing of the ones before it.
 */
import type { DiskSource } from '../../repository/import/disk-source.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import type { BeginOrder, Claim, Leftover, Since, SourceMachine, SourceMoment, SourcePlan } from './documents.ts';

export interface MachineSource {
	/** `ec2`, `ssh`, `qemu`, …: the same for every address of the kind. */
	readonly kind: string;

	/** No side effects. `machine_unknown` when there is no machine at this address. */
	describe(signal: AbortSignal): Promise<SourceMachine>;

	/**
	 * What would be read, and why not less. No side effects. A disk whose changes since the checkpoint cannot be told is read
	 * whole; so are all when there is no checkpoint, or one that this source does not understand.
	 */
	plan(machine: SourceMachine, since: Since | null, signal: AbortSignal): Promise<SourcePlan>;

	/**
	 * Begins one moment of all disks of the plan, and answers as soon as it is taken; `ready` tells when it can be read. Idempotent by
	 * the tag: a complete moment that carries it is found again, the earliest where there are several; what was left half done is
	 * removed, and begun anew. Throws `source_changed` when the disks are not those of the plan: then nothing of it MUST be left,
	 * and `source_busy` when somebody else's work on the machine is in the way.
	 */
	begin(order: BeginOrder, signal: AbortSignal): Promise<SourceMoment>;

	/** Asked until it is `ready`, and every few minutes while nobody reads it. `moment_lost` when it never will be, or is not to be kept. */
	ready(moment: SourceMoment, signal: AbortSignal): Promise<'pending' | 'ready'>;

	/**
	 * A disk of the moment. With `base`, the disk as it was at `order.since`, its extents MAY be `unchanged`; without it they MUST NOT.
	 * Where the platform cannot tell any more what changed, `extents` MAY throw `checkpoint_lost`: then it is opened once more without
	 * base. What it called unchanged until then MUST be so. `extents` and `read` throw `moment_lost` when the moment is gone, and
	 * `source_unreachable` for what may go by itself.
	 */
	open(
		moment: SourceMoment,
		key: string,
		known: { base?: StoredDisk | undefined },
		signal: AbortSignal,
	): Promise<OpenedMoment>;

	/**
	 * After the restore point: keeps of this tag the checkpoint alone, and drops what is kept for those of `droppable`, of the same
	 * owner, its own among them when it is there.
	 */
	commit(claim: Claim, of: { droppable: readonly string[] }, signal: AbortSignal): Promise<void>;

	/** Removes everything that carries the tag, whatever state it is in. MAY come before, in the middle of, or without a `begin`. */
	abandon(claim: Claim, signal: AbortSignal): Promise<void>;

	/** What of ours is on the platform: of one owner, or of all. */
	leftovers(owner: string | undefined, signal: AbortSignal): AsyncIterable<Leftover>;

	/** Frees connections, and nothing else. Idempotent. */
	close(): Promise<void>;
}

/** A disk that can be read. Whoever opened it closes its source. */
export interface OpenedMoment {
	source: DiskSource;
	/** `changes`: some of its extents may be unchanged. */
	reads: 'changes' | 'all';
	/** Of `all`, why not the changes alone. */
	why: string | null;
}
