import { createHash } from 'node:crypto';
import {
	blockBytes,
	type BlockPage,
	type BlockQuery,
	CloudError,
	type EbsBlock,
	type Ec2Cloud,
	type Ec2Snapshot,
	type SnapshotOrder,
	type SnapshotQuery,
} from '../../../sources/ec2/cloud.ts';
import type { MemoryRegion } from './memory-region.ts';

/** What every token has in it: none may be in what crosses processes. */
export const tokenCanary = 'canary-token';

/** EC2 and EBS as AWS documents them, on a region in memory. */
export class MemoryCloud implements Ec2Cloud {
	readonly region = 'eu-central-1';
	readonly #region: MemoryRegion;
	readonly #reached: (place: string) => void;

	/** `reached`: called at `create-disk`, before each snapshot of a set. */
	constructor(region: MemoryRegion, reached: (place: string) => void = () => {}) {
		this.#region = region;
		this.#reached = reached;
	}

	async instance(instanceId: string, signal: AbortSignal) {
		await this.#enter('ec2:DescribeInstances', instanceId, signal);
		return structuredClone(this.#region.instances.get(instanceId));
	}

	async instanceType(name: string, signal: AbortSignal) {
		await this.#enter('ec2:DescribeInstanceTypes', name, signal);
		return this.#region.types.get(name);
	}

	async volumes(volumeIds: readonly string[], signal: AbortSignal) {
		await this.#enter('ec2:DescribeVolumes', volumeIds.join(' '), signal);
		return volumeIds.toReversed().flatMap(volumeId => {
			const bytes = this.#region.volumes.get(volumeId);
			return bytes === undefined ? [] : [{ volumeId, sizeBytes: bytes.length }];
		});
	}

	async createSnapshots({ instanceId, tags }: SnapshotOrder, signal: AbortSignal): Promise<Ec2Snapshot[]> {
		await this.#enter('ec2:CreateSnapshots', instanceId, signal);
		const instance = this.#region.instance(instanceId);
		const startedAt = new Date((this.#region.ms += 1000)).toISOString();
		const made: Ec2Snapshot[] = [];
		for (const { volumeId } of instance.volumes) {
			this.#reached('create-disk');
			made.push(this.#region.snapshot(volumeId, tags, startedAt));
		}
		this.#region.leave('ec2:CreateSnapshots');
		return made;
	}

	async snapshots(query: SnapshotQuery, signal: AbortSignal): Promise<Ec2Snapshot[]> {
		await this.#enter('ec2:DescribeSnapshots', '', signal);
		const found: Ec2Snapshot[] = [];
		for (const kept of this.#region.snapshots.values()) {
			const { snapshot } = kept;
			const isAsked = this.#region.ignoresQueries || matches(snapshot, query);
			if (!isAsked) continue;
			kept.hiddenLooks -= 1;
			if (kept.hiddenLooks >= 0) continue;
			if (snapshot.state === 'pending' && kept.pendingLooks-- <= 0) snapshot.state = 'completed';
			found.push({ ...snapshot });
		}
		return found;
	}

	async deleteSnapshot(snapshotId: string, signal: AbortSignal): Promise<void> {
		await this.#enter('ec2:DeleteSnapshot', snapshotId, signal);
		if (this.#region.inUse.has(snapshotId)) throw new CloudError('in-use', 'ec2:DeleteSnapshot', 'ofTheTest');
		this.#region.snapshots.delete(snapshotId);
	}

	async listBlocks(query: BlockQuery, signal: AbortSignal): Promise<BlockPage> {
		const { snapshotId, since, startAt, pageToken } = query;
		const call = since === null ? 'ebs:ListSnapshotBlocks' : 'ebs:ListChangedBlocks';
		await this.#enter(call, `${snapshotId} ${startAt}`, signal);
		const { blocks, snapshot } = this.#readable(snapshotId, call);
		const before = since === null ? undefined : this.#readable(since, call);
		if (before !== undefined && before.snapshot.volumeId !== snapshot.volumeId)
			throw new CloudError('unrelated', call, 'ofTheTest');
		const listed = before === undefined ? [...blocks.keys()] : differing(before.blocks, blocks);
		const from = pageToken === null ? startAt : this.#mustTake(pageToken, call);
		const rest = listed.filter(index => index >= from).toSorted((a, b) => a - b);
		const facts = { blockBytes, volumeBytes: snapshot.sizeBytes };
		// As AWS may: nothing on this page, and more behind it.
		if (pageToken === null) return { ...facts, blocks: [], next: this.#token(String(from)) };
		const page = rest.slice(0, this.#region.blocksInPage);
		const next = rest[page.length];
		return {
			...facts,
			blocks: page.map(index => ({
				index,
				token: blocks.has(index) ? this.#token(`${snapshotId}/${index}`) : null,
			})),
			next: next === undefined ? null : this.#token(String(next)),
		};
	}

	async block(
		{ snapshotId, index, token }: { snapshotId: string; index: number; token: string },
		signal: AbortSignal,
	): Promise<EbsBlock> {
		const call = 'ebs:GetSnapshotBlock';
		await this.#enter(call, `${snapshotId} ${index}`, signal);
		const bytes = this.#readable(snapshotId, call).blocks.get(index);
		if (token !== this.#token(`${snapshotId}/${index}`)) throw new CloudError('token', call, 'ofTheTest');
		if (bytes === undefined) throw new CloudError('refused', call, 'ofTheTest');
		this.#region.leave(call);
		return { bytes: Buffer.from(bytes), sha256: createHash('sha256').update(bytes).digest('base64') };
	}

	async close(): Promise<void> {}

	async #enter(call: string, of: string, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		this.#region.enter(call, of);
		await Promise.resolve();
	}

	#readable(snapshotId: string, call: string) {
		const found = this.#region.snapshots.get(snapshotId);
		if (found === undefined) throw new CloudError('missing', call, 'ofTheTest');
		if (found.snapshot.state !== 'completed') throw new CloudError('refused', call, 'not completed');
		return found;
	}

	#token(of: string): string {
		return `${tokenCanary}/${this.#region.age}/${of}`;
	}

	#mustTake(pageToken: string, call: string): number {
		const from = Number(pageToken.split('/')[2]);
		if (pageToken !== this.#token(String(from))) throw new CloudError('token', call, 'ofTheTest');
		return from;
	}
}

function matches({ snapshotId, tags: has }: Ec2Snapshot, { ids, tags = {} }: SnapshotQuery): boolean {
	if (ids !== undefined && !ids.includes(snapshotId)) return false;
	return Object.entries(tags).every(([name, value]) => (value === null ? name in has : has[name] === value));
}

function differing(before: ReadonlyMap<number, Buffer>, now: ReadonlyMap<number, Buffer>): number[] {
	const zeros = Buffer.alloc(blockBytes);
	return [...new Set([...before.keys(), ...now.keys()])].filter(
		index => !(before.get(index) ?? zeros).equals(now.get(index) ?? zeros),
	);
}
