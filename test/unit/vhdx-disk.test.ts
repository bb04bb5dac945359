import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ParentDisk, VhdxDisk } from '../../vhdx/disk.ts';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import type { FileLayout } from '../../vhdx/file-layout.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { Random } from '../equipment/seeds/random.ts';
import { childOf, hasContent, measuresOf } from '../equipment/vhdx-chains.ts';
import { assembled, contentOf, idsOf, mebibyte, memoryFile, sparseFile } from '../equipment/vhdx-files.ts';

const tebibyte = 2 ** 40;
const relativePath = '.\\base.vhdx';
const seeded = () => new Random(1);

async function opened(layout: FileLayout, content: Uint8Array, parent?: ParentDisk): Promise<VhdxDisk> {
	return new VhdxDisk(await openVhdx(memoryFile(assembled(layout, content))), parent);
}

/** In pieces of any size, at any place. */
async function mustRead(random: Random, disk: VhdxDisk, content: Buffer): Promise<void> {
	assert.ok(content.equals(await disk.read(0, content.length)), 'the whole');
	for (let time = 0; time < 6; time++) {
		const at = random.below(content.length);
		const lengthBytes = random.below(Math.min(content.length - at, 2 * mebibyte));
		const read = await disk.read(at, lengthBytes);
		assert.ok(content.subarray(at, at + lengthBytes).equals(read), `${lengthBytes} bytes at ${at}`);
	}
}

describe('`VhdxDisk` reads what was written', () => {
	for (let seed = 1; seed <= 8; seed++) {
		it(`as a fixed and as a dynamic file, seed ${seed}`, async () => {
			const random = new Random(seed);
			const measures = measuresOf(random);
			const content = contentOf(random, measures.sizeBytes, 0.8);
			const fixed = fixedFile({ ...measures, ids: idsOf(random) });
			await mustRead(random, await opened(fixed, content), content);
			const dynamic = dynamicFile({ ...measures, ids: idsOf(random), isPresent: hasContent(content, measures) });
			await mustRead(random, await opened(dynamic, content), content);
		});

		it(`as a chain of differencing files, seed ${seed}`, async () => {
			const random = new Random(seed);
			const measures = measuresOf(random);
			let content = contentOf(random, measures.sizeBytes);
			let disk = await opened(fixedFile({ ...measures, ids: idsOf(random) }), content);
			for (let depth = random.below(3); depth >= 0; depth--) {
				const childMeasures = { ...measures, blockBytes: random.pick([1, 2]) * mebibyte };
				const own = contentOf(random, measures.sizeBytes);
				const { blocks, merged } = childOf(random, childMeasures, own, content);
				const parent = { linkage: disk.dataWriteGuid, relativePath };
				const layout = differencingFile({ ...childMeasures, ids: idsOf(random), parent, blocks });
				disk = await opened(layout, own, disk);
				content = merged;
				await mustRead(random, disk, content);
			}
		});
	}
});

describe('`openVhdx`', () => {
	it('tells measures, type, ids and parent', async () => {
		const random = new Random(1);
		const ids = idsOf(random);
		const parent = {
			linkage: idsOf(random).dataWriteGuid,
			otherLinkage: idsOf(random).dataWriteGuid,
			relativePath: '..\\Größe 10 €\\base.vhdx',
			volumePath: '\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\base.vhdx',
			absolutePath: 'C:\\machines\\base.vhdx',
		};
		const measures = { sizeBytes: 5 * mebibyte + 512, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
		const child = await openVhdx(
			memoryFile(assembled(differencingFile({ ...measures, ids, parent }), Buffer.alloc(0))),
		);
		assert.deepEqual(child.geometry, { ...measures, blockBytes: 2 * mebibyte });
		assert.deepEqual([child.type, child.ids, child.parent], ['differencing', ids, parent]);
		const content = Buffer.alloc(measures.sizeBytes);
		for (const [type, layout] of [
			['fixed', fixedFile({ ...measures, ids, blockBytes: mebibyte })],
			['dynamic', dynamicFile({ ...measures, ids, isPresent: () => false })],
		] as const) {
			const file = await openVhdx(memoryFile(assembled(layout, content)));
			assert.deepEqual([file.type, file.parent], [type, undefined]);
		}
	});

	it('takes disks of 64 TiB of every type, and reads little of them', async () => {
		const random = new Random(2);
		const measures = { sizeBytes: 64 * tebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
		const ids = idsOf(random);
		const last = { block: 64 * 2 ** 12 - 1, content: { sectors: new Uint8Array(2 ** 16).fill(1) } } as const;
		const parent = { linkage: ids.dataWriteGuid, relativePath };
		const fixed = new VhdxDisk(await openVhdx(sparseFile(fixedFile({ ...measures, ids }))));
		assert.equal((await fixed.read(64 * tebibyte - 512, 512)).length, 512);
		const dynamic = dynamicFile({ ...measures, ids, isPresent: block => block % 1000 === 999 });
		assert.equal((await openVhdx(sparseFile(dynamic))).geometry.sizeBytes, 64 * tebibyte);
		const child = differencingFile({ ...measures, ids, parent, blockBytes: 256 * mebibyte, blocks: [last] });
		const disk = new VhdxDisk(await openVhdx(sparseFile(child)), fixed);
		const pieces = [];
		for await (const piece of disk.locate(64 * tebibyte - 8 * 512, 8 * 512)) pieces.push(piece);
		assert.deepEqual(
			pieces.map(({ lengthBytes, in: { kind } }) => [lengthBytes, kind]),
			[
				[512, 'file'],
				[7 * 512, 'parent'],
			],
		);
	});

	it('ends at once when it is cancelled', async () => {
		const random = new Random(3);
		const layout = fixedFile({ sizeBytes: 512, logicalSectorBytes: 512, physicalSectorBytes: 512, ids: idsOf(random) });
		const reason = new Error('enough');
		await assert.rejects(openVhdx(sparseFile(layout), AbortSignal.abort(reason)), reason);
	});
});

describe('`VhdxDisk` throws', () => {
	const measures = { sizeBytes: mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;

	it('for what the disk has not', async () => {
		const disk = await opened(fixedFile({ ...measures, ids: idsOf(seeded()) }), Buffer.alloc(mebibyte));
		await assert.rejects(disk.read(mebibyte - 512, 513), RangeError);
		await assert.rejects(disk.read(-1, 1), RangeError);
	});

	it('when a table that was looked at is another one later', async () => {
		const parent = { linkage: idsOf(seeded()).dataWriteGuid, relativePath };
		const sectors = new Uint8Array(512);
		const layout = differencingFile({
			...measures,
			ids: idsOf(seeded()),
			parent,
			blocks: [{ block: 0, content: { sectors } }],
		});
		const ofChunk = 2048;
		for (const [index, value] of [
			[0, 5n],
			[ofChunk, 0n],
		] as const) {
			const file = assembled(layout, Buffer.alloc(mebibyte));
			const vhdx = await openVhdx(memoryFile(file));
			const { sizeBytes, logicalSectorBytes } = measures;
			const base = {
				dataWriteGuid: parent.linkage,
				sizeBytes,
				logicalSectorBytes,
				read: () => assert.fail('not asked'),
			};
			file.writeBigUInt64LE(value, vhdx.blockTable.atBytes + index * 8);
			await assert.rejects(new VhdxDisk(vhdx, base).read(0, 512), { code: 'source_invalid', message: /changed/ });
		}
	});
});

describe('`VhdxDisk` looks at the linkage of a differencing disk', () => {
	const measures = { sizeBytes: 3 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;

	async function chain(more: { linkage?: string; otherLinkage?: string; sizeBytes?: number } = {}) {
		const random = new Random(4);
		const content = contentOf(random, measures.sizeBytes);
		const base = await opened(fixedFile({ ...measures, blockBytes: mebibyte, ids: idsOf(random) }), content);
		const { linkage = base.dataWriteGuid, otherLinkage, sizeBytes = measures.sizeBytes } = more;
		const parent = { linkage, relativePath, ...(otherLinkage && { otherLinkage }) };
		const layout = differencingFile({ ...measures, sizeBytes, ids: idsOf(random), parent });
		const child = await openVhdx(memoryFile(assembled(layout, Buffer.alloc(0))));
		return { base, child, content };
	}

	it('a new child reads as its parent, by either linkage', async () => {
		const { base, child, content } = await chain();
		assert.ok(content.equals(await new VhdxDisk(child, base).read(0, content.length)));
		const other = await chain({ linkage: idsOf(new Random(9)).dataWriteGuid, otherLinkage: base.dataWriteGuid });
		assert.ok(content.equals(await new VhdxDisk(other.child, other.base).read(0, content.length)));
	});

	it('a child that was made larger or smaller reads as its parent, and as zeros behind its end', async () => {
		for (const sizeBytes of [2 * mebibyte, 4 * mebibyte, 9 * mebibyte]) {
			const { base, child, content } = await chain({ sizeBytes });
			const expected = Buffer.alloc(sizeBytes);
			content.copy(expected);
			assert.ok(expected.equals(await new VhdxDisk(child, base).read(0, sizeBytes)), `${sizeBytes}`);
		}
	});

	it('another parent, none, one of other sectors, and one too many are refused', async () => {
		const { base, child } = await chain({ linkage: idsOf(new Random(9)).dataWriteGuid });
		assert.throws(() => new VhdxDisk(child, base), { code: 'source_invalid', message: /when the child was made/ });
		assert.throws(() => new VhdxDisk(child), { code: 'source_invalid', message: /base\.vhdx was not given/ });
		const coarse = { dataWriteGuid: base.dataWriteGuid, sizeBytes: base.sizeBytes, logicalSectorBytes: 4096 };
		const fine = await chain();
		assert.throws(() => new VhdxDisk(fine.child, { ...coarse, read: () => assert.fail('not asked') }), {
			code: 'source_invalid',
			message: /its sectors have 512 bytes, and those of its parent .* 4096/,
		});
		const vhdx = await openVhdx(
			memoryFile(assembled(fixedFile({ ...measures, ids: idsOf(new Random(1)) }), Buffer.alloc(measures.sizeBytes))),
		);
		assert.throws(() => new VhdxDisk(vhdx, base), { code: 'source_invalid', message: /no differencing disk/ });
	});
});

describe('`differencingFile` refuses', () => {
	const disk = {
		sizeBytes: 3 * mebibyte,
		blockBytes: mebibyte,
		logicalSectorBytes: 512,
		physicalSectorBytes: 4096,
		ids: idsOf(new Random(5)),
		parent: { linkage: idsOf(new Random(6)).dataWriteGuid, relativePath },
	} as const;
	const refusals: [string, Partial<Parameters<typeof differencingFile>[0]>][] = [
		['a parent without a path', { parent: { linkage: disk.parent.linkage } }],
		['a path with a zero in it', { parent: { ...disk.parent, relativePath: 'a\0b' } }],
		['a path longer than its field', { parent: { ...disk.parent, relativePath: 'a'.repeat(2 ** 15) } }],
		['a block behind the end', { blocks: [{ block: 3, content: 'whole' }] }],
		[
			'blocks out of order',
			{
				blocks: [
					{ block: 1, content: 'whole' },
					{ block: 0, content: 'whole' },
				],
			},
		],
		['bits for another block size', { blocks: [{ block: 0, content: { sectors: new Uint8Array(512) } }] }],
	];
	for (const [what, more] of refusals)
		it(what, () => assert.throws(() => differencingFile({ ...disk, ...more }), { code: 'input_invalid' }));
});
