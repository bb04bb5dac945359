import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { MachineObservation } from '../../hypervisors/contract.ts';
import { RouseError } from '../../model/errors.ts';
import { judge } from '../../supervisor/reconcile/blocked.ts';
import { needOf } from '../../supervisor/reconcile/machine.ts';
import type { Seen } from '../../supervisor/recovery/recovery.ts';
import { change, newState, type RecoveryState } from '../../supervisor/files/state.ts';
import { samplePlan } from '../equipment/recoveries.ts';

const image = {
	sizeBytes: 1000,
	chunkSizeBytes: 65536,
	frameSizeBytes: 65_536,
	contentDigest: 'b'.repeat(64),
	dataBytes: 0,
};
const plan = samplePlan({ directory: '/repository', image });
const fresh = change.plan(plan)(newState(randomUUID(), 'r1', 1));
const on: MachineObservation = { power: 'on', byGuest: false, ioError: undefined, crash: undefined };
const guestOff: MachineObservation = { ...on, power: 'off', byGuest: true };
const dead: MachineObservation = { ...on, power: 'off' };

function wanted(desired: 'on' | 'off', settled = true, more: Partial<RecoveryState> = {}): RecoveryState {
	return { ...fresh, power: { desired, settled, bootId: 'boot-1' }, ...more };
}

function crashed(fallBack?: string): MachineObservation {
	return { ...on, power: 'crashed', crash: { reason: 'it gave up', fallBack } };
}

test('`needOf` a machine that died: it is started again, but not against the policy', () => {
	assert.equal(needOf(wanted('on'), dead, 'boot-1'), 'restart');
	assert.equal(needOf(wanted('on', true, { restart: 'never' }), dead, 'boot-1'), 'leave-off');
});

test('`needOf` a machine that dies between the switch and the finish: it is started again', () => {
	const state = wanted('on', true, { switch: { stage: 'done', resume: true, pauseMs: 1 } });
	assert.equal(needOf(state, dead, 'boot-1'), 'restart');
	assert.equal(needOf(state, guestOff, 'boot-1'), 'note-off');
});

test('`needOf` a guest that powers itself off or on: it has its way, on every boot and by every policy', () => {
	assert.equal(needOf(wanted('on'), guestOff, 'boot-1'), 'note-off');
	assert.equal(needOf(wanted('on'), guestOff, 'boot-2'), 'note-off');
	assert.equal(needOf(wanted('on', true, { restart: 'never' }), guestOff, 'boot-1'), 'note-off');
	assert.equal(needOf(wanted('off'), on, 'boot-1'), 'note-on');
	assert.equal(needOf(wanted('off'), dead, 'boot-1'), 'nothing');
	assert.equal(needOf(wanted('off'), guestOff, 'boot-1'), 'nothing');
});

test('`needOf` a wish that was not carried out yet: it is, unless the host was started anew meanwhile', () => {
	for (const seen of [dead, guestOff, crashed('emulation')])
		assert.equal(needOf(wanted('on', false), seen, 'boot-1'), 'apply-power');
	assert.equal(needOf(wanted('off', false), on, 'boot-1'), 'apply-power');
	assert.equal(needOf(wanted('on', false), dead, 'boot-2', 'ask'), 'ask');
});

test('`needOf` a machine that was on when its host was started anew: what the host has for that, also after the switch', () => {
	const switched = wanted('on', true, { switch: { stage: 'done', resume: true, pauseMs: 1 } });
	for (const afterBoot of ['start-after-boot', 'ask', 'leave-off'] as const)
		for (const state of [wanted('on'), switched, wanted('on', true, { restart: 'never' })])
			assert.equal(needOf(state, dead, 'boot-2', afterBoot), afterBoot);
	assert.equal(needOf(wanted('on'), on, 'boot-2', 'start-after-boot'), 'nothing');
	assert.equal(needOf(wanted('off'), dead, 'boot-2', 'start-after-boot'), 'nothing');
});

test('`needOf` a guest that crashed: the way out that is offered, else nothing', () => {
	assert.equal(needOf(wanted('on'), crashed('emulation'), 'boot-1'), 'fall-back');
	assert.equal(needOf(wanted('on'), crashed(), 'boot-1'), 'nothing');
	assert.equal(needOf(wanted('off'), crashed('emulation'), 'boot-1'), 'nothing');
});

const noFailures = { mount: undefined, migration: undefined, other: undefined };
const unseen: Seen = {
	machine: on,
	mount: undefined,
	migration: undefined,
	blocked: null,
	switchFailure: undefined,
	machineFailure: undefined,
	baseFailure: undefined,
	moverErrors: [],
	readsWaited: false,
	refusedWrites: { count: 0, toldAtMs: -Infinity },
	stalled: undefined,
	open: false,
	asksToStart: false,
	pinned: false,
	failingSince: undefined,
	notBefore: { switch: 0, machine: 0, base: 0 },
};
const bad = { disk: 'disk0', index: 7, digest: 'c'.repeat(64), packId: 'd'.repeat(32) };
const mount = {
	recoveryId: randomUUID(),
	disks: [],
	waitingReads: 0,
	oldestWaitMs: 0,
	failing: false,
	badChunks: [bad],
	failure: null,
	counters: {},
};

function standing(operation: 'read' | 'write', noSpace = false): MachineObservation {
	return { ...on, power: 'paused', ioError: { disk: 'disk0', operation, noSpace } };
}

test('`judge`: a guest at a bad chunk blocks, naming disk, chunk, point and pack', () => {
	const blocked = judge(fresh, { ...unseen, machine: standing('read'), mount }, noFailures, '/d');
	assert.equal(blocked?.code, 'chunk_bad');
	for (const part of [bad.digest, bad.packId, 'chunk 7 of disk0', 'sample@2026-11-20T03:00:00.000Z'])
		assert.ok(blocked?.reason.includes(part), part);
	assert.deepEqual(blocked?.next, {
		order: 'retry',
		first: `put pack ${bad.packId} back into /repository from a copy of it`,
	});
});

test('`judge`: a write that the mover failed (copy-on-write) is told as a read is, and only while there is a mover', () => {
	const serving = { ...fresh, done: [...fresh.done, 'start-movers' as const] };
	const machine = standing('write');
	const blocked = judge(serving, { ...unseen, machine, mount }, noFailures, '/d');
	assert.equal(blocked?.code, 'chunk_bad');
	assert.match(blocked.reason, /^the guest stands still at a write: chunk 7 of disk0/);
	const good = { ...mount, badChunks: [] };
	assert.equal(judge(serving, { ...unseen, machine, mount: good, moverErrors: [1, 2] }, noFailures, '/d'), null);
	const often = judge(serving, { ...unseen, machine, mount: good, moverErrors: [1, 2, 3] }, noFailures, '/d');
	assert.deepEqual([often?.code, /a write of disk0/.test(often?.reason ?? '')], ['io_failed', true]);
	const local: RecoveryState = { ...serving, chain: 'local' };
	assert.equal(judge(local, { ...unseen, machine, mount }, noFailures, '/d')?.code, 'io_failed');
});

test('`judge`: a bad chunk that no guest stands at blocks nothing', () => {
	assert.equal(judge(fresh, { ...unseen, mount }, noFailures, '/d'), null);
});

test('`judge`: a read that waits for what only a person can mend blocks, one that waits for a store that is away does not', () => {
	const waiting = (code: 'chunk_missing' | 'store_unreachable') =>
		judge(
			fresh,
			{ ...unseen, readsWaited: true, mount: { ...mount, badChunks: [], failure: { code, message: 'why' } } },
			noFailures,
			'/d',
		);
	assert.equal(waiting('chunk_missing')?.code, 'chunk_missing');
	assert.equal(waiting('store_unreachable'), null);
});

test('`judge`: a write without space blocks as that, another one as the disk of the host', () => {
	const full = judge(fresh, { ...unseen, machine: standing('write', true) }, noFailures, '/d');
	assert.deepEqual([full?.code, full?.next], ['space_short', { order: 'retry', first: 'make room in /d' }]);
	assert.equal(judge(fresh, { ...unseen, machine: standing('write') }, noFailures, '/d')?.code, 'io_failed');
});

test('`judge`: reads that were failed on purpose block nothing until it goes on and on', () => {
	const machine = standing('read');
	assert.equal(judge(fresh, { ...unseen, machine, moverErrors: [1, 2] }, noFailures, '/d'), null);
	assert.equal(judge(fresh, { ...unseen, machine, moverErrors: [1, 2, 3] }, noFailures, '/d')?.code, 'io_failed');
});

test('`judge`: a block that is local and cannot be read is named', () => {
	const failure = { code: 'io_failed', message: 'EIO at offset 4096' } as const;
	const seen = {
		...unseen,
		machine: standing('read'),
		moverErrors: [1, 2, 3],
		mount: { ...mount, badChunks: [], failure },
	};
	assert.match(judge(fresh, seen, noFailures, '/d')?.reason ?? '', /EIO at offset 4096/);
});

test('`judge`: a guest that crashed blocks with a reset as what helps, unless its platform knows a way out', () => {
	assert.deepEqual(judge(fresh, { ...unseen, machine: crashed() }, noFailures, '/d'), {
		code: 'machine_failed',
		reason: 'the guest has crashed: it gave up; what it had written is kept',
		next: { order: 'power-reset' },
	});
	assert.equal(judge(fresh, { ...unseen, machine: crashed('emulation') }, noFailures, '/d'), null);
});

test('`judge`: a copy that failed blocks with its own code', () => {
	const migration = {
		recoveryId: randomUUID(),
		disks: [],
		copying: false,
		maxRateBytes: 0,
		writtenBytes: 0,
		failure: { code: 'space_short' as const, message: 'full' },
		trouble: null,
		badChunks: [],
	};
	assert.equal(judge(fresh, { ...unseen, migration }, noFailures, '/d')?.code, 'space_short');
});

test('`judge`: in a switch that was begun only its own failure counts', () => {
	const state: RecoveryState = { ...fresh, switch: { stage: 'begun', resume: true, pauseMs: null } };
	const seen = { ...unseen, machine: standing('read'), mount };
	assert.equal(judge(state, seen, noFailures, '/d'), null);
	const switchFailure = new RouseError('hypervisor_stuck', 'no answer');
	assert.equal(judge(state, { ...seen, switchFailure }, noFailures, '/d')?.code, 'hypervisor_stuck');
});

test('`judge` of a machine that asks to be started after a boot says so before a switch that cannot be carried on', () => {
	const switchFailure = new RouseError('space_short', 'no space');
	const begun = { ...fresh, switch: { stage: 'begun' as const, resume: true, pauseMs: null } };
	const asking = { ...unseen, asksToStart: true, switchFailure };
	assert.equal(judge(begun, asking, noFailures, '/d')?.code, 'host_rebooted');
	assert.equal(judge({ ...begun, chain: 'target' }, asking, noFailures, '/d')?.code, 'space_short');
	assert.equal(judge(begun, { ...asking, asksToStart: false }, noFailures, '/d')?.code, 'space_short');
});
