import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Recoveries } from '../../client/recoveries.ts';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { places, readIdentity } from '../../system/installation.ts';
import { readOutages } from '../../system/temporal-outages.ts';
import { taskQueues } from '../../workflows/contracts.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const timeoutMs = 60_000;
let place: TestInstallation;
let supervisor: SupervisorDouble;
let server: OwnProcess;

before(async () => {
	place = await TestInstallation.create();
	supervisor = await SupervisorDouble.start(place.installation);
	server = await place.startServer();
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
			const whole = worker.said.split('\n').slice(0, -1); // what comes after the last end of a line is still being written
			const found = whole.find(text => text.includes(`"msg":"${msg}"`));
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
	for (const worker of [control, host]) await worker.end('SIGKILL');
});

test('a worker that does not reach Temporal says so within seconds, with since when, and when it does again', async () => {
	const { home } = place.installation;
	const worker = place.startWorkers('host');
	const { client } = await place.connect();
	const polls = async () => {
		const hostId = await readIdentity(places.hostIdentity(home));
		const queue = {
			namespace: place.target.namespace,
			taskQueue: { name: taskQueues.host(hostId ?? '') },
			taskQueueType: 2,
		};
		const { pollers } = await client.workflowService.describeTaskQueue(queue);
		return (pollers ?? []).some(({ identity }) => identity?.startsWith(`${worker.child.pid}@`));
	};
	await waitFor('the worker', polls, { timeoutMs }); // one that was never connected is more patient
	const killed = Date.now();
	await server.end('SIGKILL');
	const outage = await waitFor('the word', async () => (await readOutages(home)).find(({ current }) => current), {
		timeoutMs,
	});
	assert.equal(outage.worker, 'host-worker');
	assert.ok(
		Math.abs(Date.parse(outage.since) - killed) < 10_000,
		`${outage.since}, killed ${new Date(killed).toISOString()}`,
	);
	assert.match(outage.reason, /\w/);
	server = await place.startServer();
	await waitFor('its end', async () => (await readOutages(home)).every(({ until }) => until !== undefined), {
		timeoutMs,
	});
	await worker.end('SIGTERM');
});
