import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { piecesOf, readChain } from '../../vhdx/chain.ts';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { VhdxDisk } from '../../vhdx/disk.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { Random } from '../equipment/seeds/random.ts';
import { assembled, idsOf, mebibyte, memoryFile } from '../equipment/vhdx-files.ts';

const measures = { sizeBytes: 2 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;

/** Of a block whose sectors are the child's and its parent's by turns; the other block is the child's zeros. */
async function chain() {
	const random = new Random(1);
	const ids = idsOf(random);
	const base = memoryFile(assembled(fixedFile({ ...measures, ids }), Buffer.alloc(measures.sizeBytes, 'base')));
	const layout = differencingFile({
		...measures,
		blockBytes: mebibyte,
		ids: idsOf(random),
		parent: { linkage: ids.dataWriteGuid, relativePath: '.\\base.vhdx' },
		blocks: [
			{ block: 0, content: { sectors: new Uint8Array(256).fill(0x55) } },
			{ block: 1, content: 'zeros' },
		],
	});
	const child = memoryFile(assembled(layout, Buffer.alloc(measures.sizeBytes, 'top!')));
	const parent = new VhdxDisk(await openVhdx(base));
	const disks = [new VhdxDisk(await openVhdx(child), parent), parent];
	return { disks, files: [child, base] };
}

describe('`readChain`', () => {
	it('reads at once what lies near to each other, and nothing beneath zeros', async () => {
		const { disks, files } = await chain();
		const into = Buffer.alloc(measures.sizeBytes, 1);
		await readChain(disks, 0, into.subarray(0, 4096));
		const before = files.map(({ reads }) => reads.length);
		await readChain(disks, 0, into);
		assert.deepEqual(
			files.map(({ reads }, index) => reads.length - (before[index] ?? 0)),
			[1, 1],
		);
		for (let at = 0; at < mebibyte; at += 512)
			assert.equal(into.toString('latin1', at, at + 4), at % 1024 === 0 ? 'top!' : 'base');
		assert.ok(into.subarray(mebibyte).equals(Buffer.alloc(mebibyte)));
	});
});

describe('`piecesOf`', () => {
	it('ends at once when it is cancelled', async () => {
		const { disks } = await chain();
		const reason = new Error('enough');
		const first = piecesOf(disks, { atBytes: 0, lengthBytes: 512 }, AbortSignal.abort(reason));
		await assert.rejects(first.next(), reason);
	});

	it('takes no chain that does not end', async () => {
		const { disks } = await chain();
		const pieces = piecesOf(disks.slice(0, 1), { atBytes: 512, lengthBytes: 512 });
		await assert.rejects(pieces.next(), RangeError);
	});
});
