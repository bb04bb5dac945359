/** A recovery that is left running for two months on a host where something goes wrong every five seconds. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { nextIncident } from '../../supervisor/files/incident-log.ts';
import { incidentBytes } from '../../model/incidents.ts';
import { type Incident, recoveryStatusSchema } from '../../model/recovery.ts';
import { incidentsEveryMs } from '../../workers/reports.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, startRunning } from './recovery-run.ts';

/** Where Temporal suggests to continue as new (limit.historyCount.suggestContinueAsNew, temporal/common/dynamicconfig). */
const suggestedAt = 4 * 1024;
const days = 60;
const incidentEveryMs = 5_000;
/** Reports that come with one workflow task: as of a worker on a busy machine, and the test takes a tenth of the time. */
const reportsATask = 60;

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const statusOf = async (run: SandboxRun) => recoveryStatusSchema.parse(await run.query('status'));
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** What a host logs in the time between two reports. */
function logged(log: Incident[], atMs: number): Incident[] {
	const all = log.slice(-1);
	for (let time = 0; time < incidentsEveryMs / incidentEveryMs; time++)
		all.push(nextIncident(all, 'attempt_failed', `${atMs} ${time} ${'x'.repeat(100)}`, new Date(atMs)).incident);
	return all.slice(-incidentsEveryMs / incidentEveryMs);
}

test('in 60 days with an incident every 5 s history and state stay bounded, and orders are heard', async () => {
	let { run } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	let incidents: Incident[] = [];
	let runs = 1;
	for (const end = run.nowMs + days * 24 * 60 * 60_000; run.nowMs < end; ) {
		const reports = [];
		for (let report = 0; report < reportsATask; report++) {
			run.nowMs += incidentsEveryMs;
			incidents = logged(incidents, run.nowMs);
			reports.push([{ recoveryId, power: 'on', blocked: null, incidents }]);
		}
		run.suggestContinueAsNew = run.historyLength > suggestedAt;
		await run.signalAtOnce('hostReport', reports);
		assert.ok(run.historyLength < suggestedAt + 2 * reportsATask, `a history of ${run.historyLength} events`);
		if (run.closed === undefined) continue;
		assert.equal(run.closed, 'continued');
		assert.ok(bytesOf(run.nextArguments) < incidentBytes + 64 * 1024, `${bytesOf(run.nextArguments)} bytes of state`);
		const next = await sandbox.start('recovery', run.nextArguments ?? []);
		next.nowMs = run.nowMs;
		await run.dispose();
		run = next;
		runs += 1;
	}
	assert.ok(runs > days / 4, `${runs} runs`);
	const known = (await statusOf(run)).incidents;
	assert.deepEqual(known.at(-1), incidents.at(-1), 'the newest is not known');
	assert.ok(known.length <= 500);
	assert.equal((await run.update('retry', asked)).accepted, true);
	await run.complete('retry');
	assert.ok(run.outcome().result);
	await run.update('migrate', asked);
	run.pending('migrateChunks');
});

test('incidents as long as they may be keep state and answers below what Temporal takes', async () => {
	const { run } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	let incidents: Incident[] = [];
	for (let report = 0; report < 60; report++) {
		incidents = logged(incidents, report).map(incident => ({ ...incident, message: 'ß'.repeat(1_000) }));
		await run.signal('hostReport', { recoveryId, power: 'on', blocked: null, incidents });
	}
	await run.update('retry', asked);
	await run.complete('retry');
	const { result } = run.outcome();
	assert.ok(bytesOf(result) < incidentBytes + 64 * 1024, `${bytesOf(result)} bytes`);
	assert.deepEqual(recoveryStatusSchema.parse(result).incidents.at(-1), incidents.at(-1));
	run.suggestContinueAsNew = true;
	await run.signal('hostReport', { recoveryId, power: 'on', blocked: null, incidents: [] });
	assert.ok(bytesOf(run.nextArguments) < incidentBytes + 64 * 1024);
});
