import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import type { FileLayout } from '../../vhdx/file-layout.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { identityHeader } from '../../vhdx/identity-header.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import { childOf, hasContent, type Measures } from '../equipment/vhdx-chains.ts';
import { randomChain } from '../equipment/vhdx-random-chain.ts';
import { contentOf, idsOf, mebibyte } from '../equipment/vhdx-files.ts';
import {
	dissectContent,
	qemuCheck,
	qemuCompare,
	sevenZipContent,
	sevenZipTakes,
	vhdiSays,
	written,
} from '../equipment/vhdx-judges.ts';

const shapes: [string, Measures][] = [
	[
		'512e, blocks of 1 MiB',
		{ sizeBytes: 5 * mebibyte, blockBytes: mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	],
	[
		'512e, blocks of 2 MiB',
		{ sizeBytes: 8 * mebibyte, blockBytes: 2 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	],
	[
		'512e, blocks of 32 MiB',
		{ sizeBytes: 33 * mebibyte, blockBytes: 32 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	],
	[
		'512e, blocks of 256 MiB',
		{ sizeBytes: 3 * mebibyte, blockBytes: 256 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	],
	[
		'sectors of 512 bytes, an even number of them',
		{ sizeBytes: 3 * mebibyte + 6 * 512, blockBytes: mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 512 },
	],
	[
		'512e, an odd number of sectors',
		{ sizeBytes: 3 * mebibyte + 7 * 512, blockBytes: 2 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	],
	['512e, one sector', { sizeBytes: 512, blockBytes: mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 }],
	[
		'4Kn, an even number of sectors',
		{ sizeBytes: 4 * mebibyte + 8192, blockBytes: 2 * mebibyte, logicalSectorBytes: 4096, physicalSectorBytes: 4096 },
	],
	[
		'4Kn, an odd number of sectors',
		{ sizeBytes: 4 * mebibyte + 4096, blockBytes: mebibyte, logicalSectorBytes: 4096, physicalSectorBytes: 4096 },
	],
];

/** Of {@link shapes}. */
const chained = ['512e, blocks of 1 MiB', '512e, an odd number of sectors', '4Kn, an odd number of sectors'];

/** Every judge that can judge such a file says that it holds this content. */
async function mustHold(
	path: string,
	content: Buffer,
	{ type, logicalSectorBytes }: { type: string; logicalSectorBytes: number },
) {
	const name = basename(path);
	assert.ok(content.equals(await dissectContent(path, 0, content.length)), `${name}: dissect`);
	const said = await vhdiSays(path);
	assert.deepEqual([said.type, said.sizeBytes], [type, content.length], `${name}: vhdiinfo`);
	// 7-Zip 26.02 refuses every disk with an odd number of sectors, QEMU's too: VhdxHandler.cpp masks with the sector's size
	// itself where size - 1 is meant.
	if ((content.length / logicalSectorBytes) % 2 === 0) {
		assert.ok(await sevenZipTakes(path), `${name}: 7zz t`);
		assert.ok(content.equals(await sevenZipContent(path)), `${name}: 7zz x`);
	}
	// qemu-img 7.2 knows neither sectors of 4096 bytes nor parents ("Operation not supported").
	if (logicalSectorBytes !== 512 || type === 'Differential') return said;
	await qemuCheck(path);
	const raw = `${path}.raw`;
	await writeFile(raw, content);
	await qemuCompare(path, raw);
	return said;
}

function contentAt(content: Buffer) {
	return (at: number, length: number) => content.subarray(at, at + length);
}

describe('7zz, qemu-img, vhdiinfo and dissect read what was written', () => {
	for (const [what, measures] of shapes)
		it(`fixed and dynamic: ${what}`, async t => {
			const random = new Random(measures.sizeBytes);
			const directory = await temporaryDirectory(t);
			const content = contentOf(random, measures.sizeBytes, 0.7);
			const isPresent = hasContent(content, measures);
			const { logicalSectorBytes } = measures;
			const layouts: [string, FileLayout][] = [
				['Fixed', fixedFile({ ...measures, ids: idsOf(random) })],
				['Dynamic', dynamicFile({ ...measures, ids: idsOf(random), isPresent })],
			];
			for (const [type, layout] of layouts) {
				const path = await written(join(directory, `${type}.vhdx`), layout, contentAt(content));
				await mustHold(path, content, { type, logicalSectorBytes });
			}
		});

	it('a header before a disk, with blocks that are known to be zeros', async t => {
		const random = new Random(7);
		const directory = await temporaryDirectory(t);
		const measures = {
			sizeBytes: 6 * mebibyte,
			blockBytes: mebibyte,
			logicalSectorBytes: 512,
			physicalSectorBytes: 4096,
		} as const;
		const content = contentOf(random, measures.sizeBytes, 0);
		content.fill(0, mebibyte, 3 * mebibyte);
		const isPresent = hasContent(content, measures);
		for (const [type, more] of [
			['Fixed', {}],
			['Dynamic', { isZero: (block: number) => !isPresent(block) }],
		] as const) {
			const { header, payloadOffsetBytes, fileSizeBytes } = identityHeader({
				...measures,
				...more,
				ids: idsOf(random),
			});
			assert.equal(fileSizeBytes, payloadOffsetBytes + content.length);
			const path = join(directory, `${type}.vhdx`);
			await writeFile(path, Buffer.concat([header, content]));
			await mustHold(path, content, { type, logicalSectorBytes: 512 });
		}
	});

	for (const [what, measures] of shapes.filter(([name]) => chained.includes(name)))
		it(`a chain of differencing files: ${what}`, async t => {
			const random = new Random(measures.sizeBytes + 1);
			const directory = await temporaryDirectory(t);
			const { logicalSectorBytes } = measures;
			let content = contentOf(random, measures.sizeBytes);
			const baseIds = idsOf(random);
			await written(join(directory, 'base.vhdx'), fixedFile({ ...measures, ids: baseIds }), contentAt(content));
			let parent = { linkage: baseIds.dataWriteGuid, relativePath: '.\\base.vhdx' };
			for (const name of ['empty.vhdx', 'middle.vhdx', 'top.vhdx']) {
				const ids = { ...idsOf(random), virtualDiskId: baseIds.virtualDiskId };
				const own = contentOf(random, measures.sizeBytes);
				// dissect.hypervisor 3.21 misreads a bitmap from the middle of a byte on, which a child's bits can ask of a parent's.
				const bits = { sectorsAtOnce: name === 'top.vhdx' ? 8 : 1 };
				const { blocks, merged } =
					name === 'empty.vhdx' ? { merged: content } : childOf(random, measures, own, content, bits);
				const layout = differencingFile({ ...measures, ids, parent, ...(blocks && { blocks }) });
				const path = await written(join(directory, name), layout, contentAt(own));
				content = merged;
				const said = await mustHold(path, content, { type: 'Differential', logicalSectorBytes });
				assert.equal(said.parent, parent.linkage, 'vhdiinfo reads the linkage');
				parent = { linkage: ids.dataWriteGuid, relativePath: `.\\${name}` };
			}
		});

	it('a chain that `vhdx/` did not write, to which others are held', async t => {
		for (const sectorBytes of [512, 4096] as const) {
			const shape = { sizeBytes: 6 * mebibyte + 2 * sectorBytes, sectorBytes, isPlain: true };
			const { path, model } = await randomChain(new Random(sectorBytes), await temporaryDirectory(t), shape);
			const content = Buffer.concat([0, 1, 2, 3, 4, 5, 6].map(number => model.piece(number, shape.sizeBytes)));
			assert.ok(content.equals(await sevenZipContent(path)), `sectors of ${sectorBytes}`);
		}
	});
});
