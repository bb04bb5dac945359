import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SyncBehind } from '../../exports/sync-behind.ts';

const MiB = 1024 * 1024;

/** A file whose syncs end when the test says so. */
class HeldFile {
	readonly syncs: PromiseWithResolvers<void>[] = [];

	datasync(): Promise<void> {
		const sync = Promise.withResolvers<void>();
		this.syncs.push(sync);
		return sync.promise;
	}
}

describe('`SyncBehind`', () => {
	it('begins a sync for each 64 MiB, one at a time', async () => {
		const file = new HeldFile();
		const behind = new SyncBehind(file);
		for (let written = 0; written < 63; written++) behind.wrote(MiB);
		assert.equal(file.syncs.length, 0);
		behind.wrote(MiB);
		assert.equal(file.syncs.length, 1);
		behind.wrote(64 * MiB);
		assert.equal(file.syncs.length, 1);
		file.syncs[0]?.resolve();
		await behind.end();
		behind.wrote(MiB);
		assert.equal(file.syncs.length, 2);
	});

	it('tells an error at the next write and at the end, though the file would not tell it again', async () => {
		const file = new HeldFile();
		const behind = new SyncBehind(file);
		behind.wrote(64 * MiB);
		file.syncs[0]?.reject(new Error('the disk is gone'));
		await assert.rejects(behind.end(), /the disk is gone/);
		assert.throws(() => behind.wrote(1), /the disk is gone/);
		await assert.rejects(behind.end(), /the disk is gone/);
	});

	it('ends when the sync that is under way has ended', async () => {
		const file = new HeldFile();
		const behind = new SyncBehind(file);
		behind.wrote(64 * MiB);
		let ended = false;
		const end = behind.end().then(() => (ended = true));
		await new Promise(resolve => setImmediate(resolve));
		assert.equal(ended, false);
		file.syncs[0]?.resolve();
		await end;
	});
});
