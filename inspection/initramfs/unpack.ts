import { Readable } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { unreadable } from '../volume.ts';
import type { Unpacked } from './unpacked.ts';
import { unpackLz4 } from './lz4-legacy.ts';

/** By how they begin, as Linux tells them: lib/decompress.c. */
const packers: readonly (readonly [start: string, name: string])[] = [
	['1f8b', 'gzip'],
	['28b52ffd', 'zstd'],
	['02214c18', 'lz4'],
	['fd377a585a00', 'xz'],
	['425a68', 'bzip2'],
	['5d0000', 'lzma'],
	['894c5a4f', 'lzo'],
];

/** What has packed the bytes that begin so; undefined for what Linux does not unpack either. */
export function packerOf(start: Buffer): string | undefined {
	const hex = start.toString('hex');
	return packers.find(([magic]) => hex.startsWith(magic))?.[1];
}

/** Of what comes out: with Node's 16 KiB a large one takes three times as long. */
const chunkSize = 256 * 1024;

/** Undefined for a packer that is not known here. What is damaged throws `source_invalid`. */
export function unpack(packer: string, pieces: AsyncIterable<Buffer>): Unpacked | undefined {
	if (packer === 'gzip') return throughNode(createGunzip({ chunkSize }), packer, pieces);
	if (packer === 'zstd') {
		// A window of 128 MiB at most: what zstd itself gives without being asked to. It is what this takes of memory.
		const params = { [constants.ZSTD_d_windowLogMax]: 27 };
		return throughNode(createZstdDecompress({ params, chunkSize }), packer, pieces);
	}
	if (packer !== 'lz4') return undefined;
	return unpackLz4(pieces);
}

type Unpacker = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

function throughNode(unpacker: Unpacker, packer: string, pieces: AsyncIterable<Buffer>): Unpacked {
	let failure: Error | undefined;
	const source = Readable.from(pieces);
	source.on('error', error => {
		failure = error;
		unpacker.destroy(error);
	});
	async function* unpacked(): AsyncGenerator<Buffer> {
		try {
			source.pipe(unpacker);
			for await (const piece of unpacker) yield piece;
		} catch (error) {
			// What could not be read is told as it is.
			if (failure) throw failure;
			throw unreadable(
				`what ${packer} has packed is damaged: ${error instanceof Error ? error.message : String(error)}`,
			);
		} finally {
			source.destroy();
			unpacker.destroy();
		}
	}
	return { pieces: unpacked(), packedBytes: () => unpacker.bytesWritten };
}
