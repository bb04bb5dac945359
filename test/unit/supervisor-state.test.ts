import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
	type Change,
	change,
	missingBefore,
	moversWanted,
	newState,
	recoveryStateSchema,
} from '../../supervisor/files/state.ts';
import { samplePlan } from '../equipment/recoveries.ts';

const image = {
	sizeBytes: 1000,
	chunkSizeBytes: 65536,
	frameSizeBytes: 65_536,
	contentDigest: 'b'.repeat(64),
	dataBytes: 0,
};
const plan = samplePlan({ directory: '/repository', image });
const after = (...changes: Change[]) => changes.reduce((state, apply) => apply(state), newState(randomUUID(), 'r1', 1));
const running = [
	change.plan(plan),
	change.done('start-movers'),
	change.powerOnScheduled(),
	change.powerWanted('on', 'boot-1'),
	change.done('power-on'),
];

test('a state reads back as it was written, and a field it does not know is refused', () => {
	const state = after(...running);
	assert.deepEqual(recoveryStateSchema.parse(JSON.parse(JSON.stringify(state))), state);
	assert.throws(() => recoveryStateSchema.parse({ ...state, colour: 'red' }));
	assert.throws(() => recoveryStateSchema.parse({ ...state, version: 2 }));
});

test('the chain never goes back', () => {
	assert.throws(() => after(change.chain('target'), change.chain('local')), /does not go back/);
	assert.throws(() => after(change.chain('local'), change.chain('mover')), /does not go back/);
	assert.equal(after(change.chain('local'), change.chain('local')).chain, 'local');
});

test('no switch begins without the seal, and once it has begun the seal holds', () => {
	assert.throws(() => after(change.switchBegun()), /seal/);
	assert.throws(() => after(change.sealed(true), change.switchBegun(), change.sealed(false)), /seal/);
	assert.equal(after(change.sealed(true), change.sealed(false)).sealed, false);
});

test('a switch is done only on the target', () => {
	assert.throws(() => after(change.sealed(true), change.switchBegun(), change.switchDone(3)), /target/);
});

test('a generation never goes down', () => {
	assert.equal(after(change.generation(5), change.generation(2)).generation, 5);
});

test('movers: none before their step, both while the machine runs, no writer when sealed, none on the target', () => {
	assert.deepEqual(moversWanted(after(change.plan(plan))), { mount: false, migration: false, repository: false });
	assert.deepEqual(moversWanted(after(...running)), { mount: true, migration: true, repository: true });
	assert.deepEqual(moversWanted(after(...running, change.sealed(true))), {
		mount: true,
		migration: false,
		repository: true,
	});
	assert.deepEqual(moversWanted(after(...running, change.sealed(true), change.chain('local'))), {
		mount: false,
		migration: false,
		repository: false,
	});
});

test('movers: that of the repository never, where it is on another machine', () => {
	const elsewhere = after(...running, change.elsewhere(true));
	assert.deepEqual(moversWanted(elsewhere), { mount: true, migration: true, repository: false });
});

test('a step names what it stands on that is missing', () => {
	assert.deepEqual(missingBefore(after(change.done('allocate')), 'snapshot'), ['create-machine', 'start-movers']);
	assert.deepEqual(missingBefore(after(), 'allocate'), []);
});
