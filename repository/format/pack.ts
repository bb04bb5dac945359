import type { ChunkRef } from '../../model/chunk.ts';
import { maxStoredBytes, minStoredBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { Digester, digestBytes } from './digest.ts';
import type { ChunkKind } from './frame-table.ts';
import { limits } from './limits.ts';
import { magic, magicBytes } from './magic.ts';

/*
 * Pack: stored chunks back to back from offset 0, footer, trailer (docs/format.md, "Pack").
 *
 *   footer   magic 8 · packId 16 · kind u8 · zero 3 · count u32 · rawBytes u64 · count × (digest 32 · storedBytes u32)
 *   trailer  magic 8 · footerBytes u32 · zero u32 · digest of the chunks 32 · digest of the footer and the 48 bytes before 32
 */
export const packTrailerBytes = 80;
const footerHeadBytes = 40;
export const packEntryBytes = digestBytes + 4;
const dataDigestAt = 16;
const endDigestAt = 48;

/** Offsets are 32 bits wide. */
export const maxPackBytes = 0xffff_ffff;

const kinds: readonly ChunkKind[] = ['chunk', 'page'];

/** A chunk as a footer knows it. */
export interface PackedChunk {
	digest: string;
	offsetBytes: number;
	storedBytes: number;
}

export interface PackFooter {
	packId: string;
	/** What all its chunks are. */
	kind: ChunkKind;
	/** Bytes of its chunks before compression. */
	rawBytes: number;
	/** In the order in which they lie in the pack. */
	chunks: readonly PackedChunk[];
	/** Digest of all stored chunks behind each other. */
	dataDigest: Buffer;
}

/** What a footer says, its entries as they lie in it: one of many that are asked for one chunk each is not taken apart. */
export interface PackEntries extends Omit<PackFooter, 'chunks'> {
	count: number;
	/** Of each chunk its digest and stored bytes, {@link packEntryBytes} long. */
	entries: Buffer;
}

/** Bytes of footer and trailer. */
export function packEndBytes(count: number): number {
	return footerHeadBytes + count * packEntryBytes + packTrailerBytes;
}

/** Footer and trailer of a pack whose chunks lie back to back from 0. */
export function encodePackEnd({ packId, kind, rawBytes, chunks, dataDigest }: PackFooter): Buffer {
	const bytes = Buffer.alloc(packEndBytes(chunks.length));
	magic.packFooter.bytes.copy(bytes, 0);
	bytes.write(packId, 8, 16, 'hex');
	bytes.writeUInt8(kinds.indexOf(kind), 24);
	bytes.writeUInt32LE(chunks.length, 28);
	bytes.writeBigUInt64LE(BigInt(rawBytes), 32);
	writeEntries(chunks, bytes, footerHeadBytes);
	const at = bytes.length - packTrailerBytes;
	magic.packTrailer.bytes.copy(bytes, at);
	bytes.writeUInt32LE(at, at + 8);
	dataDigest.copy(bytes, at + dataDigestAt);
	endDigest(bytes).copy(bytes, at + endDigestAt);
	return bytes;
}

function writeEntries(chunks: readonly PackedChunk[], into: Buffer, entriesAt: number): void {
	let at = entriesAt;
	for (const { digest, storedBytes } of chunks) {
		into.write(digest, at, digestBytes, 'hex');
		into.writeUInt32LE(storedBytes, at + digestBytes);
		at += packEntryBytes;
	}
}

function endDigest(end: Buffer): Buffer {
	return new Digester().update(end.subarray(0, end.length - packTrailerBytes + endDigestAt)).digest();
}

/** The longest footer that there may be. */
const maxFooterBytes = footerHeadBytes + limits.packChunks * packEntryBytes;

/** Length of the footer that a trailer announces, or `format_damaged`. `packBytes`: size of the whole pack. */
export function footerBytesOf(trailer: Buffer, packId: string, packBytes: number): number {
	if (trailer.length !== packTrailerBytes)
		throw damaged(packId, `${exactBytes(packBytes)}, too short for a trailer of ${packTrailerBytes}`);
	if (packBytes > maxPackBytes) throw damaged(packId, `${exactBytes(packBytes)}, at most ${maxPackBytes}`);
	if (!trailer.subarray(0, magicBytes).equals(magic.packTrailer.bytes))
		throw damaged(packId, `no trailer at its end but ${trailer.toString('hex', 0, magicBytes)}`);
	const footerBytes = trailer.readUInt32LE(8);
	if (trailer.readUInt32LE(12) !== 0) throw damaged(packId, 'the reserved field of its trailer is not zero');
	if (footerBytes > maxFooterBytes)
		throw damaged(packId, `a footer of ${footerBytes} bytes, at most ${maxFooterBytes}: ${limits.packChunks} chunks`);
	const rest = footerBytes - footerHeadBytes;
	if (rest < packEntryBytes || rest % packEntryBytes !== 0 || footerBytes + packTrailerBytes > packBytes)
		throw damaged(packId, `a footer of ${exactBytes(footerBytes)} in a pack of ${exactBytes(packBytes)}`);
	return footerBytes;
}

/**
 * The footer of a pack of `packBytes` bytes; `end` is footer and trailer. Everything is checked but the chunks themselves:
 * digest, id, that the chunks fill the pack from its first byte to the footer without a gap, that none is larger or
 * smaller than chunks are. Throws `format_damaged`.
 */
export function openPackEnd(end: Buffer, packId: string, packBytes: number): PackEntries {
	const trailer = end.subarray(-packTrailerBytes);
	const footerBytes = footerBytesOf(trailer, packId, packBytes);
	const footer = end.subarray(0, -packTrailerBytes);
	if (footer.length !== footerBytes)
		throw damaged(packId, `its trailer announces a footer of ${footerBytes} bytes, there are ${footer.length}`);
	if (!endDigest(end).equals(trailer.subarray(endDigestAt)))
		throw damaged(packId, 'its footer does not match its digest');
	if (!footer.subarray(0, magicBytes).equals(magic.packFooter.bytes))
		throw damaged(packId, 'no footer before its trailer');
	const inside = footer.toString('hex', 8, 24);
	if (inside !== packId) throw damaged(packId, `its footer says that it is pack ${inside}`);
	const kind = kinds[footer.readUInt8(24)];
	if (kind === undefined) throw damaged(packId, `it is of kind ${footer.readUInt8(24)}, which nobody knows`);
	const count = footer.readUInt32LE(28);
	if (footer.readUIntLE(25, 3) !== 0) throw damaged(packId, 'the reserved field of its footer is not zero');
	if (footerHeadBytes + count * packEntryBytes !== footerBytes)
		throw damaged(packId, `${count} chunks in a footer of ${footerBytes} bytes`);
	const rawBytes = Number(footer.readBigUInt64LE(32));
	const entries = footer.subarray(footerHeadBytes);
	checkLengths(entries, packId, packBytes - end.length);
	return { packId, kind, rawBytes, count, entries, dataDigest: trailer.subarray(dataDigestAt, endDigestAt) };
}

function checkLengths(entries: Buffer, packId: string, dataBytes: number): void {
	let offsetBytes = 0;
	for (let at = 0; at < entries.length; at += packEntryBytes) {
		const storedBytes = entries.readUInt32LE(at + digestBytes);
		if (storedBytes < minStoredBytes || storedBytes > maxStoredBytes)
			throw damaged(packId, `chunk ${at / packEntryBytes} of ${storedBytes} bytes`);
		offsetBytes += storedBytes;
	}
	if (offsetBytes !== dataBytes)
		throw damaged(packId, `its chunks end at ${offsetBytes}, its footer begins at ${dataBytes}`);
}

/** As {@link openPackEnd}, taken apart. */
export function decodePackEnd(end: Buffer, packId: string, packBytes: number): PackFooter {
	return footerOf(openPackEnd(end, packId, packBytes));
}

/** A quarter of what the footer takes in memory, for who keeps many. */
export function entriesOf({ chunks, ...rest }: PackFooter): PackEntries {
	const entries = Buffer.allocUnsafeSlow(packEntryBytes * chunks.length);
	writeEntries(chunks, entries, 0);
	return { ...rest, count: chunks.length, entries };
}

export function footerOf({ count: _count, entries, ...rest }: PackEntries): PackFooter {
	const chunks: PackedChunk[] = [];
	let offsetBytes = 0;
	for (let at = 0; at < entries.length; at += packEntryBytes) {
		const storedBytes = entries.readUInt32LE(at + digestBytes);
		chunks.push({ digest: entries.toString('hex', at, at + digestBytes), offsetBytes, storedBytes });
		offsetBytes += storedBytes;
	}
	return { ...rest, chunks };
}

/** All places that a pack has of this digest of 32 bytes. */
export function refsIn({ packId, entries }: PackEntries, digest: Buffer): ChunkRef[] {
	const refs: ChunkRef[] = [];
	const first = digest.readUInt32LE(0); // decides nearly always, and is far faster than a call of compare
	let offsetBytes = 0;
	for (let at = 0; at < entries.length; at += packEntryBytes) {
		const storedBytes = entries.readUInt32LE(at + digestBytes);
		if (entries.readUInt32LE(at) === first && digest.compare(entries, at, at + digestBytes) === 0)
			refs.push({ digest: digest.toString('hex'), packId, offsetBytes, storedBytes });
		offsetBytes += storedBytes;
	}
	return refs;
}

export function refOf(packId: string, { digest, offsetBytes, storedBytes }: PackedChunk): ChunkRef {
	return { digest, packId, offsetBytes, storedBytes };
}

function damaged(packId: string, why: string): RouseError {
	return new RouseError('format_damaged', `pack ${packId}: ${why}`, {
		hint: 'import its machines again, or put the pack back from a copy of the repository',
		details: { packId },
	});
}
