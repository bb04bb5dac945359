import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import { type Clock, systemClock } from '../../system/clock.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type { BeginOrder, Leftover, Since, SourceMachine, SourceMoment, SourcePlan } from '../machine/documents.ts';
import { type Ec2SnapshotAddress, ec2SnapshotUri } from './address.ts';
import { blocksAtOnce, BlockReader } from './block-reader.ts';
import type { Ec2Cloud, Ec2Snapshot } from './cloud.ts';
import { whyNotComparable } from './comparable.ts';
import { costOf } from './cost.ts';
import { SnapshotDisk } from './disk.ts';
import { keptSnapshots, snapshotIdSchema } from './documents.ts';
import { inOurCodes, type Missing, momentLost } from './refusals.ts';
import { Slots } from '../../system/slots.ts';

const stateSchema = z.strictObject({ snapshot: snapshotIdSchema, since: snapshotIdSchema.nullable() });

/**
 * A snapshot that somebody else made of one volume, and keeps or deletes: as AWS Backup and lifecycle policies do. It is its own
 * moment, so nothing is begun, kept or left. Another one of the same volume is the same machine, later: where the earlier one is
 * still there, only what differs is read. Of copies it is not known what volume they are of: each is read whole.
 */
export class Ec2SnapshotSource implements MachineSource {
	readonly kind = 'ec2-snapshot';
	readonly #address: Ec2SnapshotAddress;
	readonly #cloud: Ec2Cloud;
	readonly #reader: BlockReader;

	constructor(address: Ec2SnapshotAddress, cloud: Ec2Cloud, { clock = systemClock }: { clock?: Clock } = {}) {
		this.#address = address;
		this.#cloud = cloud;
		this.#reader = new BlockReader({ cloud, slots: new Slots(blocksAtOnce), clock });
	}

	async describe(signal: AbortSignal): Promise<SourceMachine> {
		const { region, snapshotId } = this.#address;
		const { volumeId, sizeBytes } = await this.#snapshot(signal);
		return {
			kind: this.kind,
			uri: ec2SnapshotUri(this.#address),
			identity: volumeId,
			name: snapshotId,
			ids: { region, snapshot: snapshotId, volume: volumeId },
			config: {},
			disks: [{ key: volumeId, sizeBytes, slot: null, serial: null, sectors: null }],
			leftOut: [],
		};
	}

	async plan(machine: SourceMachine, since: Since | null, signal: AbortSignal): Promise<SourcePlan> {
		const kept = keptSnapshots(since);
		const ids = [...kept.values()];
		const found =
			ids.length === 0 ? [] : await inOurCodes(this.#missing(), () => this.#cloud.snapshots({ ids }, signal));
		const now = await this.#snapshot(signal);
		const disks = machine.disks.map(disk => {
			const why = whyNotComparable(disk, kept.get(disk.key), found) ?? whyNotLater(now, found);
			return { key: disk.key, reads: why === null ? ('changes' as const) : ('all' as const), why };
		});
		return { disks, consistency: 'crash', cost: costOf(machine, { disks }, { keeps: false }), warnings: [] };
	}

	async begin(order: BeginOrder, signal: AbortSignal): Promise<SourceMoment> {
		const { snapshotId, volumeId, sizeBytes, startedAt } = await this.#snapshot(signal);
		if (order.identity !== volumeId)
			throw new RouseError('identity_conflict', `${snapshotId} is of ${volumeId}, not of ${order.identity}`);
		const [planned] = order.plan.disks;
		const since = planned?.reads === 'changes' ? (keptSnapshots(order.since).get(volumeId) ?? null) : null;
		return {
			tag: order.tag,
			owner: order.owner,
			identity: order.identity,
			moment: snapshotId,
			takenAt: new Date(startedAt).toISOString(),
			holdUntil: null,
			together: true,
			disks: [{ key: volumeId, sizeBytes, consistency: 'crash' }],
			checkpoint: { disks: [{ key: volumeId, snapshot: snapshotId }] },
			state: { snapshot: snapshotId, since },
		};
	}

	async ready(moment: SourceMoment, signal: AbortSignal): Promise<'pending' | 'ready'> {
		const { state, isArchived, snapshotId } = await this.#snapshot(signal, momentLost(stateOf(moment).snapshot));
		if (state !== 'error' && !isArchived) return state === 'completed' ? 'ready' : 'pending';
		throw new RouseError('moment_lost', `snapshot ${snapshotId} has failed, or was put into the archive`);
	}

	async open(moment: SourceMoment, key: string, { base }: { base?: StoredDisk | undefined }): Promise<OpenedMoment> {
		const { snapshot: snapshotId, since: earlier } = stateOf(moment);
		const disk = moment.disks.find(one => one.key === key);
		if (disk === undefined) throw new RouseError('source_invalid', `there is no volume ${key} in the moment`);
		const since = base === undefined ? null : earlier;
		const { sizeBytes } = disk;
		const source = new SnapshotDisk({ cloud: this.#cloud, reader: this.#reader, snapshotId, since, sizeBytes });
		return { source, reads: since === null ? 'all' : 'changes', why: null };
	}

	/** It is somebody else's, before and after. */
	async commit(): Promise<void> {}

	async abandon(): Promise<void> {}

	async *leftovers(): AsyncGenerator<Leftover> {}

	async close(): Promise<void> {
		await this.#cloud.close();
	}

	async #snapshot(signal: AbortSignal, missing = this.#missing()): Promise<Ec2Snapshot> {
		const { snapshotId } = this.#address;
		const [found] = await inOurCodes(missing, () => this.#cloud.snapshots({ ids: [snapshotId] }, signal));
		if (found?.snapshotId === snapshotId) return found;
		throw new RouseError(missing.code, missing.message, { hint: missing.hint });
	}

	#missing(): Missing {
		const { snapshotId, region } = this.#address;
		return {
			code: 'machine_unknown',
			message: `there is no snapshot ${snapshotId} in ${region}`,
			hint: 'see that the region is right, and that the snapshot belongs to the account of the credentials',
		};
	}
}

function stateOf({ state }: SourceMoment): z.infer<typeof stateSchema> {
	const parsed = stateSchema.safeParse(state);
	if (parsed.success) return parsed.data;
	throw new RouseError('source_invalid', 'the moment is none of an EC2 snapshot', { hint: 'begin the import anew' });
}

function whyNotLater(now: Ec2Snapshot, [kept]: readonly Ec2Snapshot[]): string | null {
	if (kept !== undefined && Date.parse(kept.startedAt) < Date.parse(now.startedAt)) return null;
	return `snapshot ${kept?.snapshotId ?? ''} is not an earlier one`;
}
