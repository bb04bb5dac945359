import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LayoutExport } from '../../movers/mount-mover/layout/layout-export.ts';
import { NBD_ERROR, NBD_STATE } from '../../nbd/protocol/constants.ts';
import type { NbdBytes, NbdFailure } from '../../nbd/server/export.ts';
import { layoutBlockStatus } from '../equipment/layout-calls.ts';
import { MemoryExport } from '../equipment/memory-export.ts';

const sizeBytes = 8192;

/** Two disks that answer when they are told to, one behind the other. */
function twoDisks() {
	const [first, second] = [1, 2].map(
		number => new MemoryExport(`disk${number}`, Buffer.alloc(sizeBytes, number), { from: 0, to: sizeBytes }),
	);
	assert.ok(first && second);
	const segments = [first, second].map(disk => ({ kind: 'disk' as const, disk, offsetBytes: 0, sizeBytes }));
	const answers: (NbdBytes | NbdFailure)[] = [];
	const layout = new LayoutExport({ name: 'layout', description: '', segments });
	const read = layout.readLater(0, 2 * sizeBytes, answer => void answers.push(answer));
	const cancelled = () => [...first.held, ...second.held].map(held => held.cancelled);
	return { first, second, read, answers, cancelled };
}

test('a read over two disks that is called off is called off at both', () => {
	const { read, answers, cancelled } = twoDisks();
	read.cancel();
	assert.deepEqual(cancelled(), [true, true]);
	assert.deepEqual(answers, []);
});

test('a read over two disks of which one fails is answered once, with that, and called off at the other', () => {
	const { first, second, answers, cancelled } = twoDisks();
	const failure = { errno: NBD_ERROR.EIO, message: 'disk1: gone' };
	first.answer(failure);
	assert.deepEqual(cancelled(), [true]);
	second.answer({ ...failure, message: 'disk2: gone as well' });
	assert.deepEqual(answers, [failure]);
});

test('block status tells what it knows before a disk that cannot tell, and the disk’s error where that begins', async () => {
	const disk = new MemoryExport('disk0', Buffer.alloc(sizeBytes, 1));
	disk.blockStatus = (_contexts, _range, done) => {
		done({ errno: NBD_ERROR.EIO, message: 'disk0: gone' });
		return { cancel() {} };
	};
	const layout = new LayoutExport({
		name: 'layout',
		description: '',
		segments: [
			{ kind: 'zeroes', sizeBytes },
			{ kind: 'disk', disk, offsetBytes: 0, sizeBytes },
		],
	});
	const status = (offset: number) => layoutBlockStatus(layout, { offset, length: sizeBytes, single: false });
	assert.deepEqual(await status(4096), [{ length: 4096, flags: NBD_STATE.HOLE | NBD_STATE.ZERO }]);
	await assert.rejects(status(sizeBytes), /disk0: gone/);
});
