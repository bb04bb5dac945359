import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MountMoverState, RefusedWrites } from '../../movers/config.ts';
import { noteRefusedWrites } from '../../supervisor/reconcile/refused-writes.ts';

const mount: MountMoverState = {
	recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
	disks: [],
	waitingReads: 0,
	oldestWaitMs: 0,
	failing: false,
	badChunks: [],
	failure: null,
	counters: {},
};

test('a write that the mount mover refused is an incident, once a minute however many there are', async () => {
	const told: string[] = [];
	const incidents = { add: async (kind: string, message: string) => void told.push(`${kind}: ${message}`) };
	let nowMs = 0;
	const seen = { mount, refusedWrites: { count: 0, toldAtMs: -Infinity } };
	const look = async (atMs: number, refused?: Partial<RefusedWrites>) => {
		nowMs = atMs;
		const last = { count: 1, export: 'disk0-wait', offset: 4096, length: 512, ...refused };
		const refusedWrites = refused ? { refusedWrites: last } : {};
		const looked = Object.assign(seen, { mount: { ...mount, ...refusedWrites } });
		await noteRefusedWrites({ seen: looked, incidents }, { now: () => nowMs });
		return told.splice(0);
	};
	const nothing = 'nothing was written';
	assert.deepEqual(await look(0), []);
	assert.deepEqual(await look(1_000, { count: 1 }), [
		`write_refused: somebody tried once to write to the mount mover's disk0-wait, last 512 bytes at 4096; ${nothing}`,
	]);
	assert.deepEqual(await look(2_000, { count: 1 }), []);
	assert.deepEqual(await look(3_000, { count: 900 }), []);
	assert.deepEqual(await look(62_000, { count: 1_000, offset: 0 }), [
		`write_refused: somebody tried 999 times to write to the mount mover's disk0-wait, last 512 bytes at 0; ${nothing}`,
	]);
	// The mover was started again, and counts from nothing.
	assert.deepEqual(await look(130_000), []);
	assert.match((await look(131_000, { count: 2 })).join(), /tried 2 times/);
});
