import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openImage } from '../../sources/image.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import { anyShape, randomChain } from '../equipment/vhdx-random-chain.ts';

const mebibyte = 2 ** 20;
const signal = new AbortController().signal;

describe('a chain of VHDXs reads as what was written to its disk', () => {
	for (let seed = 1; seed <= 24; seed++)
		it(`seed ${seed}`, async t => {
			const random = new Random(seed);
			const directory = await temporaryDirectory(t);
			const { path, sizeBytes, model } = await randomChain(random, directory, anyShape(random));
			const disk = await openImage(path, { signal, withBacking: true });
			t.after(() => disk.close());
			assert.equal(disk.sizeBytes, sizeBytes);
			let end = 0;
			for await (const { offsetBytes, lengthBytes, kind } of disk.extents(signal)) {
				assert.equal(offsetBytes, end, 'extents are in order and without gaps');
				end += lengthBytes;
				const isRight = kind === 'zero' ? model.isZero(offsetBytes, end) : model.isTouched(offsetBytes);
				assert.ok(isRight, `${kind} at ${offsetBytes}`);
			}
			assert.equal(end, sizeBytes);
			for (const number of model.numbers(sizeBytes)) {
				const expected = model.piece(number, sizeBytes);
				const into = Buffer.alloc(expected.length, 1);
				// In two reads that meet anywhere.
				const at = random.below(into.length);
				if (at > 0) await disk.read(number * mebibyte, into.subarray(0, at), signal);
				await disk.read(number * mebibyte + at, into.subarray(at), signal);
				assert.ok(expected.equals(into), `MiB ${number}`);
			}
		});
});
