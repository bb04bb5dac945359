import { unreadable } from '../volume.ts';
import { ByteReader } from './byte-reader.ts';
import type { Unpacked } from './unpacked.ts';

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md#legacy-frame, which is what Linux takes. */
const lz4LegacyMagic = 0x184c_2102;
const mostBlockBytes = 8 * 2 ** 20;
/** LZ4_compressBound of a whole block. */
const mostStoredBytes = mostBlockBytes + Math.floor(mostBlockBytes / 255) + 16;

/** What a legacy frame says, and those that follow it. Zeros at the end, as an initramfs may have them, say nothing. */
export function unpackLz4(pieces: AsyncIterable<Buffer>): Unpacked {
	const reader = new ByteReader(pieces);
	return { pieces: blocksOf(reader), packedBytes: () => reader.takenBytes };
}

async function* blocksOf(reader: ByteReader): AsyncGenerator<Buffer> {
	try {
		for (;;) {
			const length = await reader.peek(4);
			if (length.length < 4) return;
			const word = (await reader.take(4)).readUInt32LE(0);
			if (word === lz4LegacyMagic) continue;
			if (word === 0) return;
			if (word > mostStoredBytes) throw unreadable('what lz4 has packed is damaged');
			yield unpackBlock(await reader.take(word));
		}
	} finally {
		await reader.close();
	}
}

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function unpackBlock(packed: Buffer): Buffer {
	// Nothing of it is handed out, or repeated, that was not written before.
	const out = Buffer.allocUnsafe(mostBlockBytes);
	let from = 0;
	let to = 0;
	const byte = () => {
		if (from >= packed.length) throw unreadable('what lz4 has packed ends too early');
		return packed.readUInt8(from++);
	};
	const length = (nibble: number) => {
		let sum = nibble;
		if (nibble === 15)
			for (let more = 255; more === 255; ) {
				more = byte();
				sum += more;
			}
		return sum;
	};
	while (from < packed.length) {
		const token = byte();
		const literals = length(token >> 4);
		if (from + literals > packed.length || to + literals > out.length)
			throw unreadable('what lz4 has packed is damaged');
		packed.copy(out, to, from, from + literals);
		from += literals;
		to += literals;
		if (from === packed.length) break; // the last sequence has literals alone
		const back = byte() + byte() * 256;
		const matched = length(token & 15) + 4;
		if (back === 0 || back > to || to + matched > out.length) throw unreadable('what lz4 has packed is damaged');
		// It may repeat what it is just writing: each copy takes no more than is there, which doubles.
		for (let done = 0; done < matched; ) {
			const part = Math.min(matched - done, back + done);
			out.copyWithin(to + done, to - back, to - back + part);
			done += part;
		}
		to += matched;
	}
	return out.subarray(0, to);
}
