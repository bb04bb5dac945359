/** What a qcow2 image refers to. https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt */
import { RouseError } from '../model/errors.ts';

export interface Qcow2References {
	virtualBytes: number;
	backing: string | undefined;
	/** QEMU's name of the backing file's format, where it was recorded. */
	backingFormat: string | undefined;
	/** Where the guest's data is when it is not in the image itself. */
	dataFile: string | undefined;
	/** The data file is the disk as it is: nothing of it may be missing. */
	dataFileIsRaw: boolean;
}

/** The largest cluster: the header, its extensions and the backing file's name lie in the first one. */
export const maxHeaderBytes = 2 * 2 ** 20;

/** "Header extensions" of the specification. */
const extensionTypes = { end: 0, backingFormat: 0xe2792aca, dataFileName: 0x44415441 } as const;
/** "incompatible_features" and "autoclear_features". */
const dirtyBit = 1n << 0n;
const corruptBit = 1n << 1n;
const externalDataBit = 1n << 2n;
const compressionTypeBit = 1n << 3n;
const extendedEntriesBit = 1n << 4n;
const rawExternalDataBit = 1n << 1n;
/** QEMU refuses longer names. */
const maxNameBytes = 1023;

/** Where the tables are, and how they are built. */
export interface Qcow2Layout {
	clusterBytes: number;
	virtualBytes: number;
	l1At: number;
	l1Entries: number;
	refcountAt: number;
	refcountClusters: number;
	/** The machine that wrote it was killed: refcounts count for nothing. */
	isDirty: boolean;
	/** QEMU found its tables wrong, and wrote no more. */
	isCorrupt: boolean;
	/** Of 16 bytes, for clusters that are there in part. */
	hasExtendedEntries: boolean;
	/** Else compressed clusters are deflated. */
	isZstd: boolean;
}

/** What {@link parseQcow2Layout} needs; every image has more. */
export const qcow2LayoutBytes = 112;

/** `header`: the first {@link qcow2LayoutBytes}. Throws `source_invalid`. */
export function parseQcow2Layout(header: Buffer): Qcow2Layout {
	if (header.length < qcow2LayoutBytes) throw damaged('it has no header');
	const version = versionOf(header);
	const features = version === 3 ? header.readBigUInt64BE(72) : 0n;
	const hasCompressionType = version === 3 && (features & compressionTypeBit) !== 0n;
	return {
		clusterBytes: clusterBytesOf(header),
		virtualBytes: Number(header.readBigUInt64BE(24)),
		l1Entries: header.readUInt32BE(36),
		l1At: Number(header.readBigUInt64BE(40)),
		refcountAt: Number(header.readBigUInt64BE(48)),
		refcountClusters: header.readUInt32BE(56),
		isCorrupt: (features & corruptBit) !== 0n,
		isDirty: (features & dirtyBit) !== 0n,
		hasExtendedEntries: (features & extendedEntriesBit) !== 0n,
		isZstd: hasCompressionType && header.readUInt8(104) === 1,
	};
}

/** `header`: the image's first `maxHeaderBytes`, or all of it. Throws `source_invalid` when it is not built as specified. */
export function parseQcow2Header(header: Buffer): Qcow2References {
	const version = versionOf(header);
	const end = Math.min(header.length, clusterBytesOf(header));
	if (header.readUInt32BE(32) !== 0)
		throw new RouseError('source_invalid', 'it is encrypted, and Rouse takes no key', {
			hint: 'decrypt it where the key is: qemu-img convert --object secret,… --image-opts',
		});
	const first = version === 2 ? 72 : headerLength(header, end);
	const backingAt = header.readBigUInt64BE(8);
	const extensions = extensionsOf(header, first, backingAt === 0n ? end : within(backingAt, end));
	const hasDataFile = version === 3 && (header.readBigUInt64BE(72) & externalDataBit) !== 0n;
	const dataFile = extensions.get(extensionTypes.dataFileName);
	if (hasDataFile && dataFile === undefined) throw damaged('it does not say where its data file is');
	return {
		virtualBytes: Number(header.readBigUInt64BE(24)),
		backing: backingName(header, backingAt, end),
		backingFormat: textOf(extensions.get(extensionTypes.backingFormat)),
		dataFile: hasDataFile ? textOf(dataFile) : undefined,
		dataFileIsRaw: hasDataFile && (header.readBigUInt64BE(88) & rawExternalDataBit) !== 0n,
	};
}

function versionOf(header: Buffer): 2 | 3 {
	if (header.length < 72 || header.toString('latin1', 0, 4) !== 'QFI\xfb') throw damaged('it has no header');
	const version = header.readUInt32BE(4);
	if (version !== 2 && version !== 3) throw damaged(`its version is ${version}`);
	return version;
}

function clusterBytesOf(header: Buffer): number {
	const bits = header.readUInt32BE(20);
	if (bits < 9 || bits > 21) throw damaged(`its clusters have 2^${bits} bytes`);
	return 2 ** bits;
}

function headerLength(header: Buffer, end: number): number {
	const length = end < 104 ? 0 : header.readUInt32BE(100);
	if (length < 104 || length > end) throw damaged(`its header has ${length} bytes`);
	return length;
}

function backingName(header: Buffer, at: bigint, end: number): string | undefined {
	const lengthBytes = header.readUInt32BE(16);
	if (at === 0n || lengthBytes === 0) return undefined;
	const start = within(at, end);
	if (lengthBytes > maxNameBytes || start + lengthBytes > end)
		throw damaged(`the name of its backing file has ${lengthBytes} bytes`);
	return textOf(header.subarray(start, start + lengthBytes));
}

function extensionsOf(header: Buffer, first: number, end: number): Map<number, Buffer> {
	const found = new Map<number, Buffer>();
	for (let at = first; at + 8 <= end; ) {
		const type = header.readUInt32BE(at);
		const lengthBytes = header.readUInt32BE(at + 4);
		at += 8;
		if (type === extensionTypes.end) break;
		if (lengthBytes > end - at) throw damaged(`a header extension has ${lengthBytes} bytes`);
		found.set(type, header.subarray(at, at + lengthBytes));
		at += Math.ceil(lengthBytes / 8) * 8;
	}
	return found;
}

function within(at: bigint, end: number): number {
	if (at > BigInt(end)) throw damaged(`it refers to offset ${at} of its first cluster`);
	return Number(at);
}

function textOf(bytes: Buffer | undefined): string | undefined {
	if (bytes === undefined) return undefined;
	try {
		return new TextDecoder('utf8', { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch (cause) {
		throw new RouseError('source_invalid', 'it names a file by bytes that are no UTF-8', { cause });
	}
}

function damaged(what: string): RouseError {
	return new RouseError('source_invalid', `its qcow2 header is damaged: ${what}`, {
		hint: 'copy it again, or convert it where it was made',
	});
}
