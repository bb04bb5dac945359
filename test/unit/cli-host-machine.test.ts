import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostMachineAnswer, machineText, standOf } from '../../cli/host/machine.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import { sampleRecoveryView as view } from '../equipment/sample-host.ts';

const incidents = [1, 2, 3, 4, 5, 6].map(sequence => ({
	sequence,
	at: '2026-11-20T03:00:00Z',
	kind: 'mover_died',
	message: `mover ${sequence}`,
	count: sequence,
}));

test('`host show` tells all that the host knows, and the last incidents', () => {
	const answer = hostMachineAnswer(view, incidents);
	assert.deepEqual(
		answer.lastIncidents.map(({ sequence }) => sequence),
		[2, 3, 4, 5, 6],
	);
	const text = machineText(answer);
	for (const part of [
		'web01-r1: active, power on\n',
		'stands on  the repository, with what its guest writes in files of its own\n',
		'512 MiB of 1.00 GiB local, copying, /h/disk0.raw',
		'nic0       52:54:00:00:00:01, of network lan: leads to bridge:br0\n',
		'nic1       52:54:00:00:00:02, of network dmz: link down, it leads nowhere\n',
		'mount: pid 7',
		'qmpSocket: /run/x/qmp.sock',
		'mover_died: mover 6 (6 times)',
		'rouse recover adopt web01-r1',
	])
		assert.ok(text.includes(part), `${part} is not in\n${text}`);
});

const blocked = { code: 'space_short', reason: 'full', next: { order: 'retry', first: 'make room' } } as const;
const stalled = { code: 'store_unreachable', reason: 'away', since: '2026-11-20T03:00:00Z' } as const;
const nexts: [string, Partial<RecoveryView>, RegExp][] = [
	['that is off', { power: 'off' }, /^power it on: rouse host start web01-r1; its workflow:/],
	['that was never on', { power: 'off', done: ['reserve'] }, /^its workflow:/],
	['that is blocked', { blocked }, /^make room, then: rouse recover retry web01-r1$/],
	['that is finished', { state: 'finished' }, /^rouse console web01-r1; rouse host stop web01-r1$/],
	['that waits for what is away', { stalled }, /^bring that back, and it goes on by itself; rouse doctor/],
	[
		'that is finished and crashed',
		{ state: 'finished', power: 'crashed' },
		/reset button.*: rouse host start web01-r1$/,
	],
	['that is finished and off', { state: 'finished', power: 'off' }, /^power it on: rouse host start web01-r1$/],
];
for (const [what, changes, next] of nexts)
	test(`\`host show\` of a machine ${what} says what comes next`, () => {
		assert.match(hostMachineAnswer({ ...view, ...changes }, []).next, next);
	});

test('`host show` of a machine whose power is another than was wanted says so', () => {
	assert.match(machineText(hostMachineAnswer({ ...view, power: 'off' }, [])), /power off \(wanted: on\)/);
});

test('`host show` of an abandoned recovery names the commands that go on with it and that remove it', () => {
	const { next } = hostMachineAnswer({ ...view, state: 'abandoned', power: 'off' }, []);
	assert.match(next, /rouse recover adopt web01-r1; .*rouse host remove web01-r1 --confirm web01-r1/);
});

test('`host show` and `host list` call what waits by the words of `recover list`', () => {
	assert.equal(standOf(view), 'active');
	assert.equal(standOf({ ...view, stalled }), 'active, stalled');
	assert.equal(standOf({ ...view, stalled, blocked }), 'active, parked');
	assert.match(
		machineText(hostMachineAnswer({ ...view, blocked }, [])),
		/^web01-r1: active, parked, power on\n[^]*parked +full \(space_short\)\n/,
	);
});
