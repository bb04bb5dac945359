/** A region of EC2 in memory: what is there, whatever process asks. */
import {
	blockBytes,
	CloudError,
	type CloudFault,
	type Ec2Instance,
	type Ec2InstanceType,
	type Ec2Snapshot,
} from '../../../sources/ec2/cloud.ts';

const zeros = Buffer.alloc(blockBytes);

interface SnapshotOfMemory {
	snapshot: Ec2Snapshot;
	/** Those that are not all zeros. */
	blocks: ReadonlyMap<number, Buffer>;
	/** How often it is `pending` before it is `completed`. */
	pendingLooks: number;
	/** How often a look does not find it yet. */
	hiddenLooks: number;
}

export class MemoryRegion {
	readonly instances = new Map<string, Ec2Instance>();
	readonly types = new Map<string, Ec2InstanceType>();
	readonly volumes = new Map<string, Buffer>();
	readonly snapshots = new Map<string, SnapshotOfMemory>();
	/** Of a page of blocks; between pages there are empty ones. */
	blocksInPage = 2;
	pendingLooks = 1;
	hiddenLooks = 0;
	/** Whether looks find all snapshots, whatever was asked for. */
	ignoresQueries = false;
	/** Snapshots that an image was made of. */
	readonly inUse = new Set<string>();
	/** Tokens of earlier ages are not taken any more. */
	age = 1;
	ms = Date.parse('2026-11-20T03:00:00.000Z');
	/** What is to fail next, by its call; `after`: when it is done. */
	readonly faults: { call: string; fault: CloudFault; after?: boolean; times: number; skip?: number }[] = [];
	/** Each call that was made, `ebs:GetSnapshotBlock snap-… 7`. */
	readonly calls: string[] = [];
	#ids = 0;

	id(kind: 'i' | 'vol' | 'snap'): string {
		this.#ids += 1;
		return `${kind}-${this.#ids.toString(16).padStart(17, '0')}`;
	}

	/** A volume that is attached to the instance. */
	attach(instanceId: string, device: string, sizeBytes: number): string {
		const volumeId = this.id('vol');
		this.volumes.set(volumeId, Buffer.alloc(sizeBytes));
		this.instance(instanceId).volumes.push({ device, volumeId, state: 'attached' });
		return volumeId;
	}

	instance(instanceId: string): Ec2Instance {
		const instance = this.instances.get(instanceId);
		if (instance === undefined) throw new Error(`there is no ${instanceId}`);
		return instance;
	}

	content(volumeId: string): Buffer {
		const bytes = this.volumes.get(volumeId);
		if (bytes === undefined) throw new Error(`there is no ${volumeId}`);
		return bytes;
	}

	snapshot(volumeId: string, tags: Readonly<Record<string, string>>, startedAt: string): Ec2Snapshot {
		const bytes = this.content(volumeId);
		const blocks = new Map<number, Buffer>();
		for (let index = 0; index * blockBytes < bytes.length; index++) {
			const block = Buffer.alloc(blockBytes);
			bytes.copy(block, 0, index * blockBytes, (index + 1) * blockBytes);
			if (!block.equals(zeros)) blocks.set(index, block);
		}
		const snapshotId = this.id('snap');
		const { pendingLooks, hiddenLooks } = this;
		const facts = { snapshotId, volumeId, sizeBytes: bytes.length, startedAt, state: 'pending', isArchived: false };
		const snapshot = { ...facts, tags: { ...tags } };
		this.snapshots.set(snapshotId, { snapshot, blocks, pendingLooks, hiddenLooks });
		return { ...snapshot };
	}

	/** Notes the call, and fails when it is its turn. */
	enter(call: string, of = ''): void {
		this.calls.push(`${call} ${of}`.trim());
		this.#failIn(call, false);
	}

	leave(call: string): void {
		this.#failIn(call, true);
	}

	#failIn(call: string, isDone: boolean): void {
		const at = this.faults.findIndex(one => one.call === call && (one.after ?? false) === isDone);
		const fault = this.faults[at];
		if (fault === undefined) return;
		if ((fault.skip ?? 0) > 0) {
			fault.skip = (fault.skip ?? 0) - 1;
			return;
		}
		fault.times -= 1;
		if (fault.times === 0) this.faults.splice(at, 1);
		throw new CloudError(fault.fault, call, 'ofTheTest');
	}

	callsOf(call: string): string[] {
		return this.calls.filter(one => one === call || one.startsWith(`${call} `));
	}
}
