/**
 * The few calls that are made of EC2 and of the EBS direct APIs, in words of ours. Behind it is the SDK (aws/) or, in tests, a cloud in
 * memory. What it throws is a {@link CloudError}, or the signal's reason: nothing that AWS has said comes through but what is
 * known here, since its errors carry requests with them.
 */
export interface Ec2Cloud {
	readonly region: string;

	/** Undefined when there is none, or none any more. */
	instance(instanceId: string, signal: AbortSignal): Promise<Ec2Instance | undefined>;

	/** Undefined for one that the region does not know. */
	instanceType(name: string, signal: AbortSignal): Promise<Ec2InstanceType | undefined>;

	/** Those that are there, in any order. */
	volumes(volumeIds: readonly string[], signal: AbortSignal): Promise<Ec2Volume[]>;

	/**
	 * Of all volumes of an instance, at one moment. It has no token by which AWS would know a second call for the first, so it MUST NOT
	 * be repeated below this: whoever gets an error does not know whether it was done.
	 */
	createSnapshots(order: SnapshotOrder, signal: AbortSignal): Promise<Ec2Snapshot[]>;

	/** Those of this account that match, on all pages. What was made a moment ago may not be there yet. */
	snapshots(query: SnapshotQuery, signal: AbortSignal): Promise<Ec2Snapshot[]>;

	/** Idempotent. `in-use` when something else needs it. */
	deleteSnapshot(snapshotId: string, signal: AbortSignal): Promise<void>;

	/** One page. It may be empty and not the last one. */
	listBlocks(query: BlockQuery, signal: AbortSignal): Promise<BlockPage>;

	/** A block's bytes, all of them, and the digest that they came with; whoever asked compares it. `cut` when they ended early. */
	block(query: { snapshotId: string; index: number; token: string }, signal: AbortSignal): Promise<EbsBlock>;

	/** Idempotent. */
	close(): Promise<void>;
}

/** Of a snapshot: AWS has had no other size. */
export const blockBytes = 512 * 1024;

export interface Ec2Instance {
	instanceId: string;
	/** `running`, `stopped`, … */
	state: string;
	type: string;
	/** 12 digits. */
	account: string | null;
	zone: string | null;
	image: string | null;
	/** `x86_64`, `arm64`, … */
	architecture: string | null;
	/** Of its tag `Name`. */
	name: string | null;
	isWindows: boolean;
	/** How it was started this time. */
	bootMode: 'uefi' | 'legacy-bios' | null;
	hasTpm: boolean;
	/** What it has of them, where that is not what its type has. */
	cpus: number | null;
	rootDevice: string | null;
	volumes: { device: string; volumeId: string; state: string }[];
	nics: { mac: string | null; subnet: string | null; card: number; index: number }[];
}

export interface Ec2InstanceType {
	cpus: number | null;
	memoryMiB: number | null;
	/** `nitro`, `xen`; null for bare metal. */
	hypervisor: string | null;
	/** Of disks that are in the host. */
	instanceStoreGB: number;
}

export interface Ec2Volume {
	volumeId: string;
	sizeBytes: number;
}

/** What copies of snapshots have for their volume, whatever they are copies of: it is to be used for nothing. */
export const volumeOfCopies = 'vol-ffffffff';

export interface Ec2Snapshot {
	snapshotId: string;
	/** {@link volumeOfCopies}, or the one that it was made of. */
	volumeId: string;
	/** Of the volume, when it was made. */
	sizeBytes: number;
	/** RFC 3339, UTC. */
	startedAt: string;
	/** `pending`, `completed`, `error`, … */
	state: string;
	isArchived: boolean;
	tags: Readonly<Record<string, string>>;
}

export interface SnapshotOrder {
	instanceId: string;
	description: string;
	/** Which they have from the first moment on. */
	tags: Readonly<Record<string, string>>;
}

/** All that is given must be so. */
export interface SnapshotQuery {
	ids?: readonly string[];
	/** Null: whatever its value. */
	tags?: Readonly<Record<string, string | null>>;
}

export interface BlockQuery {
	snapshotId: string;
	/** Only blocks in which it differs from this snapshot of the same volume. */
	since: string | null;
	/** Nothing before this block. */
	startAt: number;
	/** Of the page before. It is valid for 60 minutes, and `startAt` means nothing beside it. */
	pageToken: string | null;
	/** 100 to 10,000. */
	most: number;
}

export interface BlockPage {
	/** In ascending order. Without a token it is not in the snapshot: all zeros. */
	blocks: { index: number; token: string | null }[];
	/** Null: it was the last page. */
	next: string | null;
	blockBytes: number;
	volumeBytes: number;
}

export interface EbsBlock {
	bytes: Buffer;
	/** Base64; null where AWS gave none. */
	sha256: string | null;
}

export type CloudFault =
	/** Who asks may not. */
	| 'denied'
	/** Who asks may not use the key that the data are encrypted with. */
	| 'key-denied'
	/** AWS does not know who asks, or not any more. */
	| 'unknown-caller'
	/** What was asked for is not there. */
	| 'missing'
	/** A token of a page or a block that is too old. */
	| 'token'
	/** Snapshots that cannot be compared. */
	| 'unrelated'
	| 'in-use'
	/** Too many snapshots of the volume are under way, or in the account. */
	| 'too-many'
	| 'throttled'
	| 'unreachable'
	/** An answer that ended early, or stood still. */
	| 'cut'
	/** Bytes that are not those of their digest. */
	| 'damaged'
	/** An answer that says what cannot be: nothing else that came with it is to be believed. */
	| 'impossible'
	/** Everything else that AWS refuses. */
	| 'refused';

/** What a call came to. Its text is ours: AWS's word for it alone, where it is one. */
export class CloudError extends Error {
	override readonly name = 'CloudError';
	readonly fault: CloudFault;
	/** The permission that the call needs, as `ec2:CreateSnapshots`. */
	readonly call: string;
	/** AWS's name of the error, and its reason. */
	readonly word: string;

	constructor(fault: CloudFault, call: string, word: string) {
		super(`${call}: ${fault} (${word})`);
		this.fault = fault;
		this.call = call;
		this.word = word;
	}
}
