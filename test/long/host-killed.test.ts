/** A host in a network namespace of its own is gone with everything on it: what ran there waits, until a person gives it up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CabledHost } from '../equipment/cabled-host.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { auditSchema } from '../equipment/two-hosts.ts';
import { waitFor } from '../../system/wait.ts';

const waitsForMs = 30_000;

test('what ran on a host that is killed whole waits for it and is given up by a person alone, as is what one that had not run has left there', async t => {
	const host = await CabledHost.joined(t);
	const { control, cable } = host;
	const [point] = await storePoints(control.repository);
	assert.ok(point);

	const which = `${point.machine}@${point.restorePoint}`;
	const start = ['recover', 'start', which, '--name', 'web', '--finish', 'manual'];
	await control.answer(...start, '--host', 'kvm2');
	await control.shown('web', 'running', ({ phase }) => phase === 'running');
	// Over both of them: the one host takes none as long as it stands on the other, which it leaves.
	await control.answer('host', 'drain', 'kvm1');
	const letGo = await host.holdRepository();
	const running = control.answer('recover', 'start', which, '--name', 'gone', '--host', 'kvm1,kvm2');
	assert.equal(await host.standing(), 'gone');
	await host.killWhole();
	await cable.cut();
	letGo();
	await control.answer('host', 'drain', 'kvm1', '--end');
	await delay(waitsForMs);
	const { phase, parked, host: where } = await control.show('web');
	assert.deepEqual([phase, parked, where], ['running', null, 'kvm2']);
	await control.answer('recover', 'abandon', 'web', '--confirm', 'web');
	await control.shown('web', 'abandoned', shown => shown.phase === 'abandoned');
	await control.answer(...start, '--host', 'kvm1', '--again');
	await control.shown('web', 'running here', shown => shown.phase === 'running' && shown.host === 'kvm1');

	// Of the other host the installation is told that it never comes back.
	await running;
	assert.equal((await control.show('gone')).host, 'kvm1');
	assert.equal((await control.refusal('host', 'remove', 'kvm2', '--confirm', 'kvm2')).code, 'phase_wrong');
	await control.answer('host', 'remove', 'kvm2', '--forget', '--reason', 'burnt', '--confirm', 'kvm2');
	const given = await waitFor(
		'the audit to tell of it',
		async () => {
			const { entries } = auditSchema.parse(await control.answer('audit', 'gone'));
			return entries.find(({ text }) => text === 'give up what kvm2 may have of it');
		},
		{ timeoutMs: 30_000 },
	);
	assert.deepEqual([given.kind, given['reason']], ['order', 'burnt']);
	const again = await control.refusal('host', 'remove', 'kvm2', '--forget', '--confirm', 'kvm2');
	assert.equal(again.code, 'host_unknown', 'nothing is owed any more');
});
