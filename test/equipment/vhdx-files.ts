/** VHDX files in memory, made of layouts and of what the disk holds. */
import type { ByteSource } from '../../vhdx/byte-source.ts';
import type { FileLayout } from '../../vhdx/file-layout.ts';
import type { FileIds } from '../../vhdx/header-section.ts';
import type { Random } from './seeds/random.ts';

export const mebibyte = 2 ** 20;

/** The file, written out: for small ones. */
export function assembled(layout: FileLayout, content: Uint8Array): Buffer {
	const file = Buffer.alloc(layout.fileSizeBytes);
	let at = 0;
	for (const piece of layout.pieces()) {
		if (piece.kind === 'bytes') file.set(piece.bytes, at);
		if (piece.kind === 'disk') file.set(content.subarray(piece.atBytes, piece.atBytes + piece.lengthBytes), at);
		at += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
	}
	if (at !== layout.fileSizeBytes) throw new RangeError(`the pieces have ${at} of ${layout.fileSizeBytes} bytes`);
	return file;
}

export interface MemoryFile extends ByteSource {
	/** What was asked for, in order. */
	readonly reads: { atBytes: number; lengthBytes: number }[];
}

export function memoryFile(bytes: Uint8Array, name = 'disk.vhdx'): MemoryFile {
	const reads: MemoryFile['reads'] = [];
	return {
		name,
		sizeBytes: bytes.length,
		reads,
		read(atBytes, lengthBytes, signal) {
			signal?.throwIfAborted();
			if (atBytes + lengthBytes > bytes.length) throw new RangeError('asked for bytes behind the end');
			reads.push({ atBytes, lengthBytes });
			return Promise.resolve(bytes.subarray(atBytes, atBytes + lengthBytes));
		},
	};
}

/** A file of any length, of which only what its layout spells out is in memory; the disk's content is zeros. */
export function sparseFile(layout: FileLayout, name = 'disk.vhdx'): ByteSource {
	const spelled: { atBytes: number; bytes: Uint8Array }[] = [];
	let end = 0;
	for (const piece of layout.pieces()) {
		if (piece.kind === 'bytes' && piece.bytes.some(byte => byte !== 0))
			spelled.push({ atBytes: end, bytes: piece.bytes });
		end += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
	}
	return {
		name,
		sizeBytes: layout.fileSizeBytes,
		read(atBytes, lengthBytes) {
			const read = new Uint8Array(lengthBytes);
			for (const { atBytes: pieceAt, bytes } of spelled) {
				const from = Math.max(atBytes, pieceAt);
				const until = Math.min(atBytes + lengthBytes, pieceAt + bytes.length);
				if (from < until) read.set(bytes.subarray(from - pieceAt, until - pieceAt), from - atBytes);
			}
			return Promise.resolve(read);
		},
	};
}

export function guidOf(random: Random): string {
	const digits = (count: number) => Array.from({ length: count }, () => random.below(16).toString(16)).join('');
	return [8, 4, 4, 4, 12].map(digits).join('-');
}

export function idsOf(random: Random): FileIds {
	return { fileWriteGuid: guidOf(random), dataWriteGuid: guidOf(random), virtualDiskId: guidOf(random) };
}

/** Sectors of 512 bytes that tell whose they are and where, with holes of zeros. */
export function contentOf(random: Random, sizeBytes: number, holes = 0.5): Buffer {
	const content = Buffer.alloc(sizeBytes);
	const who = random.below(0xffff);
	for (let at = 0; at < sizeBytes; ) {
		const run = Math.min(sizeBytes - at, (1 + random.below(2000)) * 512);
		if (!random.chance(holes))
			for (let sector = at; sector < at + run; sector += 512) content.fill(`${who}:${sector};`, sector, sector + 512);
		at += run;
	}
	return content;
}
