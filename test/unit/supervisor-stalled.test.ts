import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { troubleOf } from '../../supervisor/reconcile/stalled.ts';
import type { MigrationMoverState, MountMoverState } from '../../movers/config.ts';

const away = { code: 'store_unreachable', message: 'the repository is away' } as const;
const mount = (changes: Partial<MountMoverState>): MountMoverState => ({
	recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
	disks: [],
	waitingReads: 1,
	oldestWaitMs: 1,
	failing: false,
	badChunks: [],
	failure: away,
	counters: {},
	...changes,
});
const migration = (changes: Partial<MigrationMoverState>): MigrationMoverState => ({
	recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
	disks: [],
	copying: true,
	maxRateBytes: 0,
	writtenBytes: 0,
	failure: null,
	trouble: away,
	badChunks: [],
	...changes,
});

suite('`troubleOf`', () => {
	test('is why reads of the guest wait, or the copy', () => {
		assert.deepEqual(troubleOf({ mount: mount({}), migration: undefined }), {
			of: 'reads of the guest wait',
			trouble: away,
		});
		assert.deepEqual(troubleOf({ mount: undefined, migration: migration({}) }), { of: 'copying waits', trouble: away });
	});

	test('is nothing where nobody waits, or where waiting does not help', () => {
		for (const quiet of [
			{ waitingReads: 0 },
			{ failure: null },
			{ failure: { code: 'io_failed', message: 'the target' } as const },
		])
			assert.equal(troubleOf({ mount: mount(quiet), migration: undefined }), undefined);
		for (const quiet of [{ copying: false }, { trouble: null }, { failure: away }])
			assert.equal(troubleOf({ mount: undefined, migration: migration(quiet) }), undefined);
	});
});
