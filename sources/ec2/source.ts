import { RouseError } from '../../model/errors.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import { type Clock, systemClock } from '../../system/clock.ts';
import { type Reached, reachedFromEnvironment } from '../../system/reached.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type {
	BeginOrder,
	Claim,
	Leftover,
	Since,
	SourceMachine,
	SourceMoment,
	SourcePlan,
} from '../machine/documents.ts';
import type { Ec2Address } from './address.ts';
import { blocksAtOnce, BlockReader } from './block-reader.ts';
import type { Ec2Cloud, Ec2Snapshot } from './cloud.ts';
import { whyNotComparable } from './comparable.ts';
import { costOf, costOfSnapshot } from './cost.ts';
import { doubts, lookAt, sourceMachine } from './describe.ts';
import { SnapshotDisk } from './disk.ts';
import { disksOf, keptSnapshots, momentOf } from './documents.ts';
import { markOf, setsOf, tagNames } from './marks.ts';
import { inOurCodes, type Missing, momentLost } from './refusals.ts';
import { Slots } from '../../system/slots.ts';
import { deleteSets, dropStray, ofOwner, takeSet } from './snapshots.ts';

/** What was made a moment ago may be unknown to AWS: half a minute in all. By no clock, for ours need not be that of AWS. */
const looksAtUnknown = 6;
const firstLookMs = 1000;

export interface Ec2Options {
	/**
	 * Called at `begin`, `create`, `created`, `begun`, `keep`, `kept`. Who dies in it leaves what was done until then; by default that
	 * is a process that was told to (system/reached.ts).
	 */
	reached?: Reached;
	clock?: Clock;
}

/**
 * An EC2 instance. Its moment is a set of EBS snapshots that were made together; they are read block by block through the EBS direct
 * APIs, and are the checkpoint too: what has changed since is asked of AWS by the snapshot that was kept. The instance
 * is never touched, and need not be there any more while its snapshots are read.
 */
export class Ec2MachineSource implements MachineSource {
	readonly kind = 'ec2';
	readonly #address: Ec2Address;
	readonly #cloud: Ec2Cloud;
	readonly #reached: Reached;
	readonly #clock: Clock;
	readonly #reader: BlockReader;

	constructor(
		address: Ec2Address,
		cloud: Ec2Cloud,
		{ reached = reachedFromEnvironment(), clock = systemClock }: Ec2Options = {},
	) {
		this.#address = address;
		this.#cloud = cloud;
		this.#reached = reached;
		this.#clock = clock;
		this.#reader = new BlockReader({ cloud, slots: new Slots(blocksAtOnce), clock });
	}

	async describe(signal: AbortSignal): Promise<SourceMachine> {
		return inOurCodes(this.#noMachine(), async () =>
			sourceMachine(this.#address, await lookAt(this.#cloud, this.#address.instanceId, signal)),
		);
	}

	async plan(machine: SourceMachine, since: Since | null, signal: AbortSignal): Promise<SourcePlan> {
		return inOurCodes(this.#noMachine(), async () => {
			const kept = keptSnapshots(since);
			const found = kept.size === 0 ? [] : await this.#cloud.snapshots({ ids: [...kept.values()] }, signal);
			const disks = machine.disks.map(disk => {
				const why = since === null ? 'nothing is kept of it' : whyNotChanges(disk, kept.get(disk.key), found, since);
				return { key: disk.key, reads: why === null ? ('changes' as const) : ('all' as const), why };
			});
			const warnings = doubts(await lookAt(this.#cloud, this.#address.instanceId, signal));
			return { disks, consistency: 'crash', cost: costOf(machine, { disks }, { keeps: true }), warnings };
		});
	}

	async begin(order: BeginOrder, signal: AbortSignal): Promise<SourceMoment> {
		this.#mustBe(order);
		this.#reached('begin');
		const places = {
			cloud: this.#cloud,
			instanceId: this.#address.instanceId,
			clock: this.#clock,
			reached: this.#reached,
		};
		const set = await inOurCodes(this.#noMachine(), () => takeSet(places, order, signal));
		this.#reached('begun');
		return momentOf(order, set);
	}

	async ready(moment: SourceMoment, signal: AbortSignal): Promise<'pending' | 'ready'> {
		this.#mustBe(moment);
		const wanted = disksOf(moment).map(({ snapshot }) => snapshot);
		const found = await inOurCodes(this.#noMachine(), () => this.#find(wanted, signal));
		for (const id of wanted) {
			const snapshot = found.get(id);
			if (snapshot === undefined) throw lost(momentLost(id));
			if (snapshot.state === 'error' || snapshot.isArchived)
				throw lost({ ...momentLost(id), message: `snapshot ${id} has failed, or was put into the archive` });
		}
		if (!wanted.every(id => found.get(id)?.state === 'completed')) return 'pending';
		await inOurCodes(this.#noMachine(), () => this.#dropOthers(moment, wanted, signal));
		return 'ready';
	}

	/**
	 * A set whose call had no answer may not have been known to AWS when this one was begun. It goes now: `commit` does not know the
	 * moment, and would keep both.
	 */
	async #dropOthers(moment: SourceMoment, wanted: readonly string[], signal: AbortSignal): Promise<void> {
		const sets = setsOf(await ofOwner(this.#cloud, moment, signal), moment);
		const others = sets.filter(({ snapshots }) => !snapshots.some(({ snapshotId }) => wanted.includes(snapshotId)));
		await dropStray(this.#cloud, others, signal);
	}

	/** What was made a moment ago may not be known everywhere at AWS. */
	async #find(ids: readonly string[], signal: AbortSignal): Promise<Map<string, Ec2Snapshot>> {
		for (let look = 1; ; look++) {
			const found = new Map((await this.#cloud.snapshots({ ids }, signal)).map(one => [one.snapshotId, one]));
			if (found.size === ids.length || look === looksAtUnknown) return found;
			await this.#clock.delay(firstLookMs * 2 ** (look - 1), signal);
		}
	}

	async open(moment: SourceMoment, key: string, { base }: { base?: StoredDisk | undefined }): Promise<OpenedMoment> {
		this.#mustBe(moment);
		const disk = disksOf(moment).find(one => one.key === key);
		const size = moment.disks.find(one => one.key === key)?.sizeBytes;
		if (disk === undefined || size === undefined)
			throw new RouseError('source_invalid', `there is no volume ${key} in the moment`);
		const since = base === undefined ? null : disk.since;
		const source = new SnapshotDisk({
			cloud: this.#cloud,
			reader: this.#reader,
			snapshotId: disk.snapshot,
			since,
			sizeBytes: size,
		});
		if (since !== null) return { source, reads: 'changes', why: null };
		return { source, reads: 'all', why: base === undefined ? null : 'nothing is kept of it' };
	}

	async commit(claim: Claim, { droppable }: { droppable: readonly string[] }, signal: AbortSignal): Promise<void> {
		this.#mustBe(claim);
		await inOurCodes(this.#noMachine(), async () => {
			const all = await ofOwner(this.#cloud, claim, signal);
			const sets = setsOf(all, claim);
			// Which of several whole ones was read nobody knows here: `ready` has left one, but for what AWS came to know behind it. One of
			// which somebody has deleted a part can tell the changes of the rest.
			const whole = sets.filter(({ isComplete }) => isComplete);
			const kept = whole.length > 0 ? whole : sets.slice(0, 1);
			const others = sets.filter(set => !kept.includes(set));
			const earlier = droppable.flatMap(tag => setsOf(all, { ...claim, tag }));
			this.#reached('keep');
			await deleteSets(this.#cloud, [...others, ...earlier], signal);
			this.#reached('kept');
		});
	}

	async abandon(claim: Claim, signal: AbortSignal): Promise<void> {
		this.#mustBe(claim);
		await inOurCodes(this.#noMachine(), async () => {
			// Where no whole set is there a call may have had no answer, of a process that nobody can ask: what it has made is shown later.
			for (let look = 1; ; look++) {
				const sets = setsOf(await ofOwner(this.#cloud, claim, signal), claim);
				await deleteSets(this.#cloud, sets, signal);
				if (look === looksAtUnknown || sets.some(({ isComplete }) => isComplete)) return;
				await this.#clock.delay(firstLookMs * 2 ** (look - 1), signal);
			}
		});
	}

	/** Of the region, whatever instance it is of: it may be gone. */
	async *leftovers(owner: string | undefined, signal: AbortSignal): AsyncGenerator<Leftover> {
		const tags = { [tagNames.tag]: null, [tagNames.owner]: owner ?? null };
		const found = await inOurCodes(this.#noMachine(), () => this.#cloud.snapshots({ tags }, signal));
		for (const snapshot of found) {
			const mark = markOf(snapshot);
			if (mark === undefined || (owner !== undefined && mark.owner !== owner)) continue;
			yield {
				tag: mark.tag,
				owner: mark.owner,
				what: `snapshot ${snapshot.snapshotId} of volume ${snapshot.volumeId} in ${this.#address.region}`,
				since: new Date(snapshot.startedAt).toISOString(),
				costText: costOfSnapshot(snapshot.sizeBytes),
				canDelete: true,
			};
		}
	}

	async close(): Promise<void> {
		await this.#cloud.close();
	}

	/** An instance's id is that of no other one, ever. */
	#mustBe({ identity }: Pick<Claim, 'identity'>): void {
		const { instanceId } = this.#address;
		if (identity === instanceId) return;
		throw new RouseError('identity_conflict', `the machine at this address is ${instanceId}, not ${identity}`);
	}

	#noMachine(): Missing {
		const { instanceId, region } = this.#address;
		return { code: 'machine_unknown', message: `there is no instance ${instanceId} in ${region}` };
	}
}

function lost({ code, message, hint }: Missing): RouseError {
	return new RouseError(code, message, { hint });
}

/** Null: AWS can tell what has changed of the disk. */
function whyNotChanges(
	disk: SourceMachine['disks'][number],
	id: string | undefined,
	found: readonly Ec2Snapshot[],
	{ tag }: Since,
): string | null {
	const kept = found.find(({ snapshotId }) => snapshotId === id);
	if (kept !== undefined && markOf(kept)?.tag !== tag) return `snapshot ${id} is not the one that was kept`;
	return whyNotComparable(disk, id, found);
}
