import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openImage } from '../../sources/image.ts';
import { openFile } from '../../sources/opened-file.ts';
import { vhdxContent } from '../../sources/vhdx-content.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import { VhdxLayer } from '../equipment/vhdx-layer.ts';
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
			// Over several blocks, which lie in the files in the order in which they were written.
			const begin = Buffer.alloc(Math.min(sizeBytes, 8 * mebibyte), 1);
			await disk.read(0, begin, signal);
			const pieces = Array.from({ length: 8 }, (_, number) => model.piece(number, begin.length));
			assert.ok(Buffer.concat(pieces).equals(begin), 'the first MiB at once');
		});
});

it('of a chain of VHDXs that file is named which cannot be read, by its tables as well', async t => {
	const directory = await temporaryDirectory(t);
	const measures = { sizeBytes: mebibyte, blockBytes: mebibyte, sectorBytes: 512 } as const;
	const random = new Random(1);
	const base = new VhdxLayer(random, measures);
	base.write(0, Buffer.alloc(mebibyte, 1));
	await base.save(join(directory, 'base.vhdx'));
	const child = new VhdxLayer(random, measures, {
		parent_linkage: `{${base.dataWriteGuid}}`,
		relative_path: 'base.vhdx',
	});
	await child.save(join(directory, 'top.avhdx'));
	for (const [index, name] of ['top.avhdx', 'base.vhdx'].entries()) {
		const paths = ['top.avhdx', 'base.vhdx'].map(file => join(directory, file));
		const files = await Promise.all(paths.map(path => openFile(path, { follow: false })));
		const content = await vhdxContent(files, signal);
		const isNamed = {
			code: 'source_invalid',
			message: new RegExp(`${name} is damaged: it cannot be read near its offset`),
		};
		await files[index]?.handle.close();
		await assert.rejects(content.extents(signal)[Symbol.asyncIterator]().next(), isNamed);
		await assert.rejects(content.read(0, Buffer.alloc(512), signal), isNamed);
		await files[1 - index]?.handle.close();
	}
});
