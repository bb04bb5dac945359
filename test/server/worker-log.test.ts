import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Recoveries } from '../../client/recoveries.ts';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const timeoutMs = 60_000;
let place: TestInstallation;
let supervisor: SupervisorDouble;

before(async () => {
	place = await TestInstallation.create();
	supervisor = await SupervisorDouble.start(place.installation);
	await place.startServer();
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

/** The first line of a worker's log with these words. */
function line(worker: OwnProcess, msg: string): Promise<Record<string, unknown>> {
	return waitFor(
		`the line "${msg}"`,
		() => {
			const found = worker.said.split('\n').find(text => text.includes(`"msg":"${msg}"`));
			return found === undefined ? undefined : (JSON.parse(found) as Record<string, unknown>);
		},
		{ timeoutMs },
	);
}

test('lines of activities and of workflow code reach the log of their worker with recovery, step and attempt', async () => {
	const request = await storedMachine(place.installation.home);
	const { name } = request;
	const [control, host] = [place.startWorkers('control'), place.startWorkers('host')];
	const recoveries = new Recoveries(await place.connect());
	supervisor.failing.set('snapshot', new RouseError('mover_unreachable', 'nobody listens'));
	await recoveries.start(request);
	const where = { recovery: name };
	const failed = await line(host, 'Activity failed');
	const error = { message: 'nobody listens', code: 'mover_unreachable' };
	const step = { step: 'snapshot', attempt: 1, error };
	assert.partialDeepStrictEqual(failed, { level: 'warn', service: 'host-worker', ...where, ...step });

	supervisor.failing.clear();
	await recoveries.waitFor(name, 'running', { timeoutMs });
	supervisor.view(name).blocked = {
		code: 'chunk_bad',
		reason: 'chunk 3',
		next: { order: 'retry', first: 'repair it' },
	};
	const parked = { level: 'warn', service: 'control-worker', ...where, phase: 'running', code: 'chunk_bad' };
	assert.partialDeepStrictEqual(await line(control, 'parked'), parked);
});
