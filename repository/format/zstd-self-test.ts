/**
 * `node repository/format/zstd-self-test.ts`: whether handles that are used again do here what docs/format.md needs. Ends with 0
 * when they do; a mistake of Node's may as well end it in the middle, which is why it is a program of its own (zstd-proof.ts).
 */
import { randomBytes } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { allowZstdHandles, areZstdHandlesUsed, compressFrame, decompressFrame } from './zstd.ts';
import { zstdContentBytes } from './zstd-frame.ts';

allowZstdHandles();
const text = Buffer.alloc(65_536, 'what a machine has on its disk, and what not, ');
const noise = randomBytes(65_536);
const mixed = Buffer.concat([text.subarray(0, 40_000), noise.subarray(0, 25_536)]);

for (let round = 0; round < 3; round++)
	for (const raw of [text, mixed, noise, text.subarray(0, 1), mixed.subarray(0, 4097)]) {
		const packed = Buffer.alloc(raw.length + 1024);
		const bytes =
			compressFrame(raw, packed, 8, raw.length + 512) ?? fail('a frame that has room is told not to have it');
		const frame = packed.subarray(8, 8 + bytes);
		if (zstdContentBytes(frame) !== raw.length) fail('a frame is not a single segment with its size');
		if (!zstdDecompressSync(frame).equals(raw)) fail('another program unpacks it to something else');
		const unpacked = Buffer.alloc(raw.length);
		if (decompressFrame(frame, unpacked) !== raw.length || !unpacked.equals(raw)) fail('it unpacks to something else');
		if (!areZstdHandlesUsed()) fail('it is not done by handles: to look for them each time costs more than they save');
		if (raw === mixed && compressFrame(raw, packed, 0, 1_000) !== undefined) fail('a frame of 1,000 bytes');
		// Between good frames a damaged one: it must throw, and the next one must be as good as before.
		if (frame.length > 64 && !throws(() => decompressFrame(frame.subarray(0, frame.length - 20), unpacked)))
			fail('a frame that is cut unpacks');
		if (!throws(() => decompressFrame(Buffer.alloc(50, 7), unpacked))) fail('what is no frame unpacks');
	}

function throws(call: () => unknown): boolean {
	try {
		call();
		return false;
	} catch {
		return true;
	}
}

function fail(what: string): never {
	throw new Error(what);
}
