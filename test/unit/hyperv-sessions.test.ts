import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { constantScript } from '../../hypervisors/hyperv/driver/bootstrap.ts';
import { DriverSession } from '../../hypervisors/hyperv/driver/session.ts';
import { DriverSessions, type SessionsOptions } from '../../hypervisors/hyperv/driver/sessions.ts';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { PlayedProgram } from '../equipment/hyperv-program.ts';

const script = constantScript('driver\n');
const observe = { recoveryId: '11111111-2222-4333-8444-555555555555' };

/** A pool whose sessions are played; each has greeted. */
function pool(t: TestContext, options: Omit<SessionsOptions, 'start'> = {}, greets = true) {
	const programs: PlayedProgram[] = [];
	const sessions = new DriverSessions({
		...options,
		start: () => {
			const program = new PlayedProgram();
			programs.push(program);
			if (greets) program.greet(script);
			return new DriverSession(program, script);
		},
	});
	t.after(() => sessions.close());
	const program = (number: number) =>
		waitFor(`session ${number}`, () => programs[number], { timeoutMs: 5000, everyMs: 1 });
	return { sessions, programs, program };
}

describe('`DriverSessions.ask`', () => {
	it('begins a session at the first request, sends it the script before that, and gives the checked answer', async t => {
		const { sessions, programs, program } = pool(t);
		assert.equal(programs.length, 0);
		const asked = sessions.ask('observe', observe);
		const first = await program(0);
		await first.answer(script, null);
		assert.equal(await asked, null);
		assert.ok(first.heard.startsWith(`${script.text}{`));
		assert.deepEqual(first.requests(script), [{ ...observe, id: 1, op: 'observe' }]);
	});

	it('uses a session again, and another one while it is busy', async t => {
		const { sessions, programs, program } = pool(t);
		const slow = sessions.ask('observe', observe);
		const quick = sessions.ask('observe', observe);
		await (await program(1)).answer(script, null);
		await quick;
		const again = sessions.ask('observe', observe);
		await (await program(1)).answer(script, null, 1);
		await again;
		await (await program(0)).answer(script, null);
		await slow;
		assert.equal(programs.length, 2);
	});

	it('waits for a session when all of them are busy', async t => {
		const { sessions, programs, program } = pool(t, { most: 1 });
		const first = sessions.ask('observe', observe);
		const second = sessions.ask('observe', observe);
		await (await program(0)).answer(script, null);
		await first;
		await (await program(0)).answer(script, null, 1);
		await second;
		assert.equal(programs.length, 1);
	});

	it('is `hypervisor_stuck` when no answer comes in time, and the session is used again after the late one', async t => {
		const { sessions, programs, program } = pool(t);
		await assert.rejects(sessions.ask('observe', observe, { timeoutMs: 20 }), { code: 'hypervisor_stuck' });
		const [late] = programs;
		assert.equal(late?.closed, false);
		await late?.answer(script, null);
		const next = sessions.ask('observe', observe);
		await late?.answer(script, null, 1);
		assert.equal(await next, null);
		assert.equal((await program(0)).closed, false);
	});

	it('ends a session that nobody waits for any more when its place is needed', async t => {
		const { sessions, programs, program } = pool(t, { most: 1 });
		await assert.rejects(sessions.ask('observe', observe, { timeoutMs: 20 }), { code: 'hypervisor_stuck' });
		const next = sessions.ask('observe', observe);
		await (await program(1)).answer(script, null);
		await next;
		assert.deepEqual(
			programs.map(({ closed }) => closed),
			[true, false],
		);
	});

	it('is `hypervisor_stuck` when no session becomes free in time, and asks nothing afterwards', async t => {
		const { sessions, program } = pool(t, { most: 1 });
		const first = sessions.ask('observe', observe);
		await assert.rejects(sessions.ask('observe', observe, { timeoutMs: 20 }), { code: 'hypervisor_stuck' });
		await (await program(0)).answer(script, null);
		await first;
		assert.equal((await program(0)).requests(script).length, 1);
	});

	it("ends with the signal's reason when it is aborted", async t => {
		const { sessions } = pool(t);
		const aborting = new AbortController();
		const asked = sessions.ask('observe', observe, { signal: aborting.signal });
		aborting.abort(new RouseError('interrupted', 'enough'));
		await assert.rejects(asked, { code: 'interrupted' });
		await assert.rejects(sessions.ask('observe', observe, { signal: aborting.signal }), { code: 'interrupted' });
	});

	it('is what the session ended with when it breaks, and the next request has a new one', async t => {
		const { sessions, program } = pool(t);
		const asked = sessions.ask('observe', observe);
		(await program(0)).end(new RouseError('hypervisor_failed', 'cable cut'));
		await assert.rejects(asked, { code: 'hypervisor_failed', message: 'cable cut' });
		const next = sessions.ask('observe', observe);
		await (await program(1)).answer(script, null);
		assert.equal(await next, null);
	});

	it('does not use a session that ended while it was idle', async t => {
		const { sessions, program } = pool(t);
		const asked = sessions.ask('observe', observe);
		await (await program(0)).answer(script, null);
		await asked;
		(await program(0)).end();
		await Promise.resolve();
		const next = sessions.ask('observe', observe);
		await (await program(1)).answer(script, null);
		assert.equal(await next, null);
	});

	it('ends the session after an answer that is none: `protocol`', async t => {
		const { sessions, program } = pool(t);
		const asked = sessions.ask('observe', observe);
		await (await program(0)).request(script);
		(await program(0)).say('At line:1 char:1');
		await assert.rejects(asked, { code: 'protocol' });
		assert.equal((await program(0)).closed, true);
	});

	it('is `protocol` for a result that is not what the operation answers, and keeps the session', async t => {
		const { sessions, program } = pool(t);
		const asked = sessions.ask('observe', observe);
		await (await program(0)).answer(script, { vmId: 7 });
		await assert.rejects(asked, { code: 'protocol' });
		assert.equal((await program(0)).closed, false);
	});

	it('asks nothing that the driver would not understand', async t => {
		const { sessions, programs } = pool(t);
		const report = sessions.ask('report', { datastore: 'D:\\$(rm)' });
		await assert.rejects(report, { code: 'internal' });
		assert.equal(programs.length, 0);
	});

	it('is `hypervisor_stuck`, with what came instead, when PowerShell does not begin', async t => {
		t.mock.timers.enable({ apis: ['setTimeout'] });
		const { sessions, programs } = pool(t, {}, false);
		const asked = sessions.ask('observe', observe, { timeoutMs: 1_000_000 });
		const refused = assert.rejects(asked, { code: 'hypervisor_stuck', message: /Welcome/ });
		while (programs.length === 0) await Promise.resolve();
		programs[0]?.say('Welcome');
		await new Promise(setImmediate);
		t.mock.timers.tick(90_000);
		await refused;
		assert.equal(programs[0]?.closed, true);
	});
});

describe('`DriverSessions`', () => {
	it('ends a session that was idle for `idleMs`', async t => {
		const { sessions, program } = pool(t, { idleMs: 10 });
		const asked = sessions.ask('observe', observe);
		await (await program(0)).answer(script, null);
		await asked;
		const first = await program(0);
		await waitFor('its end', () => first.closed, { timeoutMs: 5000 });
	});

	it('`close` ends all of them, and what waits: `hypervisor_failed`', async t => {
		const { sessions, program } = pool(t, { most: 1 });
		const asked = sessions.ask('observe', observe);
		const waits = sessions.ask('observe', observe);
		const refused = [asked, waits].map(each => assert.rejects(each, { code: 'hypervisor_failed' }));
		await (await program(0)).request(script);
		await sessions.close();
		await Promise.all(refused);
		assert.equal((await program(0)).closed, true);
		await assert.rejects(sessions.ask('observe', observe), { code: 'hypervisor_failed' });
	});
});
