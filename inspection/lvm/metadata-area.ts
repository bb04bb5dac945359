/** lib/format_text/layout.h of LVM2: a header of one sector, and behind it a ring in which texts lie one after the other. */
import { crc32 } from 'node:zlib';
import { unreadable, type Volume } from '../volume.ts';

export const areaHeaderBytes = 512;
const magic = ' LVM2 x[5A%r0N*>';
const version = 1;
/** A group of some thousand volumes. */
const mostTextBytes = 4 * 2 ** 20;
/** lib/misc/crc.h: what their sum begins with; unlike others it is not inverted. */
const initialSum = 0xf597a6cf;

/** Where the text lies that counts, by the area's own offsets. */
export interface TextPlace {
	fromBytes: number;
	lengthBytes: number;
	checksum: number;
	flags: number;
}

export interface MetadataArea {
	/** In its physical volume. */
	atBytes: number;
	/** With its header. */
	sizeBytes: number;
	/** Undefined where nothing was ever written. */
	text: TextPlace | undefined;
}

/** A part of a text that lies in one piece, by offsets of the physical volume. */
export interface TextPiece {
	atBytes: number;
	lengthBytes: number;
}

/** Throws `source_invalid` for an area that is damaged. */
export async function readArea(volume: Volume, atBytes: number): Promise<MetadataArea> {
	return parseArea(await volume.read(atBytes, areaHeaderBytes), atBytes);
}

export function parseArea(header: Buffer, atBytes: number): MetadataArea {
	if (header.toString('latin1', 4, 20) !== magic) throw damaged();
	const sizeBytes = Number(header.readBigUInt64LE(32));
	const fromBytes = Number(header.readBigUInt64LE(40));
	const lengthBytes = Number(header.readBigUInt64LE(48));
	if (lengthBytes === 0) return { atBytes, sizeBytes, text: undefined };
	if (lengthBytes > mostTextBytes || fromBytes < areaHeaderBytes || fromBytes >= sizeBytes) throw damaged();
	if (lengthBytes > sizeBytes - areaHeaderBytes) throw damaged();
	const text = { fromBytes, lengthBytes, checksum: header.readUInt32LE(56), flags: header.readUInt32LE(60) };
	return { atBytes, sizeBytes, text };
}

/** The header that makes this text the one that counts, as LVM itself writes it. */
export function makeAreaHeader({ atBytes, sizeBytes, text }: MetadataArea): Buffer {
	const header = Buffer.alloc(areaHeaderBytes);
	header.write(magic, 4, 'latin1');
	header.writeUInt32LE(version, 20);
	header.writeBigUInt64LE(BigInt(atBytes), 24);
	header.writeBigUInt64LE(BigInt(sizeBytes), 32);
	if (text !== undefined) {
		header.writeBigUInt64LE(BigInt(text.fromBytes), 40);
		header.writeBigUInt64LE(BigInt(text.lengthBytes), 48);
		header.writeUInt32LE(text.checksum, 56);
		header.writeUInt32LE(text.flags, 60);
	}
	header.writeUInt32LE(lvmSum(header.subarray(4)), 0);
	return header;
}

/** Behind the end of the ring a text goes on at its beginning. */
export function piecesOf({ atBytes, sizeBytes, text }: MetadataArea): TextPiece[] {
	if (text === undefined) return [];
	const first = Math.min(text.lengthBytes, sizeBytes - text.fromBytes);
	const pieces = [
		{ atBytes: atBytes + text.fromBytes, lengthBytes: first },
		{ atBytes: atBytes + areaHeaderBytes, lengthBytes: text.lengthBytes - first },
	];
	return pieces.filter(({ lengthBytes }) => lengthBytes > 0);
}

/** As it was written; LVM ends it with a zero. */
export async function readText(volume: Volume, area: MetadataArea): Promise<Buffer> {
	return Buffer.concat(
		await Promise.all(piecesOf(area).map(({ atBytes, lengthBytes }) => volume.read(atBytes, lengthBytes))),
	);
}

export function textOf(bytes: Buffer): string {
	return bytes.toString('latin1').replace(/\0+$/, '');
}

/** What LVM calls a checksum, of header and text alike. */
export function lvmSum(bytes: Buffer): number {
	return ~crc32(bytes, ~initialSum >>> 0) >>> 0;
}

function damaged() {
	return unreadable('a metadata area of LVM is damaged');
}
