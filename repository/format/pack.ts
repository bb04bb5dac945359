import { hash } from 'node:crypto';
import { type ChunkRef, maxStoredBytes } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { limits } from './limits.ts';
import { magic, magicBytes } from './magic.ts';

/*
 * Pack: stored chunks back to back from offset 0, footer, trailer (docs/format.md, "Pack").
 *
 *   footer   magic 8 · packId 16 · count u32 · zero u32 · count × (digest 32 · offset u32 · storedBytes u32 · rawBytes u32)
 *   trailer  magic 8 · footerBytes u32 · zero u32 · SHA-256 of the footer 32
 */
export const packTrailerBytes = 48;
const footerHeadBytes = 32;
const footerEntryBytes = 44;

/** Offsets are 32 bits wide. */
export const maxPackBytes = 0xffff_ffff;

/** A chunk as a footer knows it. */
export interface PackedChunk {
	digest: string;
	offsetBytes: number;
	storedBytes: number;
	rawBytes: number;
}

export interface PackFooter {
	packId: string;
	/** In the order in which they lie in the pack. */
	chunks: readonly PackedChunk[];
}

export function packEndBytes(count: number): number {
	return footerHeadBytes + count * footerEntryBytes + packTrailerBytes;
}

/** Footer and trailer of a pack whose chunks lie back to back from 0. */
export function encodePackEnd({ packId, chunks }: PackFooter): Buffer {
	const bytes = Buffer.alloc(packEndBytes(chunks.length));
	magic.packFooter.bytes.copy(bytes, 0);
	bytes.write(packId, 8, 16, 'hex');
	bytes.writeUInt32LE(chunks.length, 24);
	let at = footerHeadBytes;
	for (const { digest, offsetBytes, storedBytes, rawBytes } of chunks) {
		bytes.write(digest, at, 32, 'hex');
		bytes.writeUInt32LE(offsetBytes, at + 32);
		bytes.writeUInt32LE(storedBytes, at + 36);
		bytes.writeUInt32LE(rawBytes, at + 40);
		at += footerEntryBytes;
	}
	magic.packTrailer.bytes.copy(bytes, at);
	bytes.writeUInt32LE(at, at + 8);
	hash('sha256', bytes.subarray(0, at), 'buffer').copy(bytes, at + 16);
	return bytes;
}

/** The longest footer that there may be. */
const maxFooterBytes = footerHeadBytes + limits.packChunks * footerEntryBytes;

/** Length of the footer that a trailer announces, or `format_damaged`. `packBytes`: size of the whole pack. */
export function footerBytesOf(trailer: Buffer, packId: string, packBytes: number): number {
	if (trailer.length !== packTrailerBytes)
		throw damaged(packId, `${exactBytes(packBytes)}, too short for a trailer of ${packTrailerBytes}`);
	if (!trailer.subarray(0, magicBytes).equals(magic.packTrailer.bytes))
		throw damaged(packId, `no trailer at its end but ${trailer.toString('hex', 0, magicBytes)}`);
	const footerBytes = trailer.readUInt32LE(8);
	if (trailer.readUInt32LE(12) !== 0) throw damaged(packId, 'the reserved field of its trailer is not zero');
	if (footerBytes > maxFooterBytes)
		throw damaged(packId, `a footer of ${footerBytes} bytes, at most ${maxFooterBytes}: ${limits.packChunks} chunks`);
	const rest = footerBytes - footerHeadBytes;
	if (rest < 0 || rest % footerEntryBytes !== 0 || footerBytes + packTrailerBytes > packBytes)
		throw damaged(packId, `a footer of ${exactBytes(footerBytes)} in a pack of ${exactBytes(packBytes)}`);
	return footerBytes;
}

/**
 * The footer of a pack of `packBytes` bytes; `end` is footer and trailer. Everything is checked: checksum, id, that the
 * chunks fill the pack from its first byte to the footer without a gap, that none is larger than chunks are. Throws
 * `format_damaged`.
 */
export function decodePackEnd(end: Buffer, packId: string, packBytes: number): PackFooter {
	const trailer = end.subarray(-packTrailerBytes);
	const footerBytes = footerBytesOf(trailer, packId, packBytes);
	const footer = end.subarray(0, -packTrailerBytes);
	if (footer.length !== footerBytes)
		throw damaged(packId, `its trailer announces a footer of ${footerBytes} bytes, there are ${footer.length}`);
	if (!hash('sha256', footer, 'buffer').equals(trailer.subarray(16)))
		throw damaged(packId, 'its footer does not match its checksum');
	if (!footer.subarray(0, magicBytes).equals(magic.packFooter.bytes))
		throw damaged(packId, 'no footer before its trailer');
	const inside = footer.toString('hex', 8, 24);
	if (inside !== packId) throw damaged(packId, `its footer says that it is pack ${inside}`);
	const count = footer.readUInt32LE(24);
	if (footer.readUInt32LE(28) !== 0) throw damaged(packId, 'the reserved field of its footer is not zero');
	if (footerHeadBytes + count * footerEntryBytes !== footerBytes)
		throw damaged(packId, `${count} chunks in a footer of ${footerBytes} bytes`);
	return { packId, chunks: decodeEntries(footer, packId, packBytes - end.length) };
}

function decodeEntries(footer: Buffer, packId: string, dataBytes: number): PackedChunk[] {
	const chunks: PackedChunk[] = [];
	let next = 0;
	for (let at = footerHeadBytes; at < footer.length; at += footerEntryBytes) {
		const offsetBytes = footer.readUInt32LE(at + 32);
		const storedBytes = footer.readUInt32LE(at + 36);
		if (offsetBytes !== next || storedBytes === 0)
			throw damaged(packId, `chunk ${chunks.length} at ${offsetBytes}+${storedBytes}, expected at ${next}`);
		const rawBytes = footer.readUInt32LE(at + 40);
		if (storedBytes > maxStoredBytes || rawBytes >= maxStoredBytes)
			throw damaged(packId, `chunk ${chunks.length} of ${storedBytes} bytes, ${rawBytes} unpacked`);
		next += storedBytes;
		chunks.push({ digest: footer.toString('hex', at, at + 32), offsetBytes, storedBytes, rawBytes });
	}
	if (next !== dataBytes) throw damaged(packId, `its chunks end at ${next}, its footer begins at ${dataBytes}`);
	return chunks;
}

export function refOf(packId: string, { digest, offsetBytes, storedBytes }: PackedChunk): ChunkRef {
	return { digest, packId, offsetBytes, storedBytes };
}

function damaged(packId: string, why: string): RouseError {
	return new RouseError('format_damaged', `pack ${packId}: ${why}`, {
		hint: 'put the pack back from a copy of the repository',
		details: { packId },
	});
}
