import { RouseError } from '../../model/errors.ts';
import { digestBytes, digestOf } from './digest.ts';
import { keys } from './keys.ts';
import { limits } from './limits.ts';
import { magic, magicBytes } from './magic.ts';
import { chunkRefBytes, storedBytesOf } from './reference.ts';

/*
 * Journal object: head, runs, digest of both (docs/format.md, "Journal").
 *
 *   head  magic 8 · import id 16 · number u64 · attempt 16 · disk u32 · runs u32 · chunk u64
 *   run   disk u32 · kind u16 · disk of the base u16 · first chunk u64 · chunks u64 · references 56 each, for kind 1
 */
const headBytes = 64;
export const runHeadBytes = 24;

/** Bytes of an object beside its runs. */
export const journalFrameBytes = headBytes + digestBytes;

const kindZero = 0;
const kindReferences = 1;
const kindBase = 2;

/** A chunk of an import's disks; what is behind the last disk is chunk 0 of the next one. */
export interface JournalPlace {
	disk: number;
	chunk: number;
}

/** Chunks behind each other on one disk. */
export interface JournalRun {
	disk: number;
	firstChunk: number;
	count: number;
	/** 56 bytes for each (reference.ts); undefined: all of them are zero, or as in the base. */
	refs: Buffer | undefined;
	/** All of them are as on this disk of the import's base. */
	baseDisk?: number;
}

export interface JournalObject {
	/** Random, 32 hexadecimal digits: of each attempt of an import its own. */
	attempt: string;
	begins: JournalPlace;
	runs: readonly JournalRun[];
}

/** Which object it is, and chunks of each disk of its import. */
export interface JournalIdentity {
	importId: string;
	number: number;
	chunkCounts: readonly number[];
	/** Whether its intent names a base. */
	hasBase: boolean;
}

export function isBefore(a: JournalPlace, b: JournalPlace): boolean {
	return a.disk < b.disk || (a.disk === b.disk && a.chunk < b.chunk);
}

/** The place `count` chunks behind another on the same disk; at the disk's end it is the next disk's beginning. */
export function placeBehind(
	{ disk, chunk }: JournalPlace,
	count: number,
	chunkCounts: readonly number[],
): JournalPlace {
	return chunk + count === chunkCounts[disk] ? { disk: disk + 1, chunk: 0 } : { disk, chunk: chunk + count };
}

export function encodeJournal(
	{ attempt, begins, runs }: JournalObject,
	{ importId, number }: Pick<JournalIdentity, 'importId' | 'number'>,
): Buffer {
	const sizes = runs.map(({ refs }) => runHeadBytes + (refs?.length ?? 0));
	const bytes = Buffer.alloc(sizes.reduce((sum, size) => sum + size, journalFrameBytes));
	magic.journal.bytes.copy(bytes, 0);
	bytes.write(importId.replaceAll('-', ''), 8, 16, 'hex');
	bytes.writeBigUInt64LE(BigInt(number), 24);
	bytes.write(attempt, 32, 16, 'hex');
	bytes.writeUInt32LE(begins.disk, 48);
	bytes.writeUInt32LE(runs.length, 52);
	bytes.writeBigUInt64LE(BigInt(begins.chunk), 56);
	let at = headBytes;
	for (const { disk, firstChunk, count, refs, baseDisk } of runs) {
		bytes.writeUInt32LE(disk, at);
		bytes.writeUInt16LE(refs !== undefined ? kindReferences : baseDisk === undefined ? kindZero : kindBase, at + 4);
		bytes.writeUInt16LE(baseDisk ?? 0, at + 6);
		bytes.writeBigUInt64LE(BigInt(firstChunk), at + 8);
		bytes.writeBigUInt64LE(BigInt(count), at + 16);
		refs?.copy(bytes, at + runHeadBytes);
		at += runHeadBytes + (refs?.length ?? 0);
	}
	digestOf(bytes.subarray(0, at)).copy(bytes, at);
	return bytes;
}

/** Throws `format_damaged`. References stay in `bytes`, which must not change. */
export function decodeJournal(bytes: Buffer, identity: JournalIdentity): JournalObject {
	const { importId, number, chunkCounts } = identity;
	const end = bytes.length - digestBytes;
	if (end < headBytes || bytes.length > limits.journalBytes) throw damaged(identity, `it has ${bytes.length} bytes`);
	if (!digestOf(bytes.subarray(0, end)).equals(bytes.subarray(end)))
		throw damaged(identity, 'it does not match its digest');
	if (!bytes.subarray(0, magicBytes).equals(magic.journal.bytes)) throw damaged(identity, 'it does not begin as one');
	const inside = bytes.toString('hex', 8, 24);
	if (inside !== importId.replaceAll('-', '')) throw damaged(identity, `it says that it is of import ${inside}`);
	if (bytes.readBigUInt64LE(24) !== BigInt(number))
		throw damaged(identity, `it says that it is number ${bytes.readBigUInt64LE(24)}`);
	const attempt = bytes.toString('hex', 32, 48);
	const begins = { disk: bytes.readUInt32LE(48), chunk: Number(bytes.readBigUInt64LE(56)) };
	const isEnd = begins.disk === chunkCounts.length && begins.chunk === 0;
	if (!isEnd && !(begins.chunk < (chunkCounts[begins.disk] ?? 0)))
		throw damaged(identity, `it begins at chunk ${begins.chunk} of disk ${begins.disk}, which is not there`);
	const runs = decodeRuns(bytes.subarray(0, end), begins, identity);
	if (runs.length !== bytes.readUInt32LE(52))
		throw damaged(identity, `it has ${runs.length} runs, and says ${bytes.readUInt32LE(52)}`);
	return { attempt, begins, runs };
}

/** As many as there are in these bytes: so no number in an object makes anybody set memory aside. */
function decodeRuns(bytes: Buffer, begins: JournalPlace, identity: JournalIdentity): JournalRun[] {
	const runs: JournalRun[] = [];
	let next = begins;
	for (let at = headBytes; at < bytes.length; ) {
		const run = decodeRun(bytes, at, identity);
		const { disk, firstChunk, count, refs } = run;
		if (disk !== next.disk || firstChunk !== next.chunk)
			throw damaged(
				identity,
				`a run begins at chunk ${firstChunk} of disk ${disk} instead of chunk ${next.chunk} of disk ${next.disk}`,
			);
		const left = (identity.chunkCounts[disk] ?? 0) - firstChunk;
		if (count < 1 || count > left) throw damaged(identity, `a run of ${count} chunks where disk ${disk} has ${left}`);
		next = placeBehind(next, count, identity.chunkCounts);
		at += runHeadBytes + (refs?.length ?? 0);
		runs.push(run);
	}
	return runs;
}

function decodeRun(bytes: Buffer, at: number, identity: JournalIdentity): JournalRun {
	if (at + runHeadBytes > bytes.length) throw damaged(identity, 'its last run is cut off');
	const kind = bytes.readUInt16LE(at + 4);
	const baseDisk = bytes.readUInt16LE(at + 6);
	if (kind > kindBase) throw damaged(identity, `a run is of kind ${kind}`);
	if (kind === kindBase && !identity.hasBase) throw damaged(identity, 'a run is as in the base, and there is none');
	if (baseDisk >= (kind === kindBase ? limits.disks : 1))
		throw damaged(identity, `a run of kind ${kind} names disk ${baseDisk} of the base`);
	// Numbers that are too large to be exact are far beyond any disk.
	const firstChunk = Number(bytes.readBigUInt64LE(at + 8));
	const count = Number(bytes.readBigUInt64LE(at + 16));
	const run = { disk: bytes.readUInt32LE(at), firstChunk, count, refs: undefined };
	if (kind === kindZero) return run;
	if (kind === kindBase) return { ...run, baseDisk };
	const from = at + runHeadBytes;
	if (count * chunkRefBytes > bytes.length - from) throw damaged(identity, `${count} references behind its end`);
	const refs = bytes.subarray(from, from + count * chunkRefBytes);
	for (let ref = 0; ref < refs.length; ref += chunkRefBytes)
		if (storedBytesOf(refs, ref) === 0) throw damaged(identity, 'a reference is zero');
	return { ...run, refs };
}

function damaged({ importId, number }: JournalIdentity, why: string): RouseError {
	return new RouseError('format_damaged', `${keys.journal(importId, number)}: ${why}`, {
		hint: 'what it tells of is read from the source again; nothing else needs it',
	});
}
