/** A backup from a source by commands alone: real keeper, workers and Temporal server; nothing that Temporal keeps has its secret. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import * as z from 'zod';
import { gatherSources } from '../../cli/doctor/gather-sources.ts';
import { Broker } from '../../client/broker.ts';
import { connectTemporal } from '../../client/connection.ts';
import { ImportSchedules } from '../../client/import-schedules.ts';
import { Imports } from '../../client/imports.ts';
import { openRepository } from '../../repository/repository.ts';
import { beginMoment } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import { blockBytes as block } from '../../sources/simulated-machine/bitmaps.ts';
import { Faults } from '../../sources/simulated-machine/faults.ts';
import type { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { SimulatedMachineSource } from '../../sources/simulated-machine/source.ts';
import { loadConfig, places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { brokerWorkflowId } from '../../workflows/broker-contracts.ts';
import { importScheduleId, importWorkflowId } from '../../workflows/import-contracts.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { makeSimulatedMachine, secret } from '../equipment/import-installation.ts';
import { collect, noise } from '../equipment/repositories.ts';

const answerSchema = z.looseObject({
	outcome: z.enum(['imported', 'failed']).nullable(),
	disks: z.array(z.looseObject({ reads: z.enum(['changes', 'all']) })),
	warnings: z.array(z.string()),
});
const planSchema = z.looseObject({ base: z.string().nullable() });
const scheduledSchema = z.object({ schedules: z.array(z.looseObject({ source: z.string(), when: z.string() })) });
const auditSchema = z.object({ entries: z.array(z.unknown()) });
const listSchema = z.object({
	imports: z.array(z.looseObject({ machine: z.string(), source: z.string(), workflow: z.string() })),
});
const findingsSchema = z.looseObject({ findings: z.array(z.looseObject({ code: z.string(), subject: z.string() })) });

/** The point before, by the same steps in this process. */
async function firstPoint(directory: string, machine: MachineInDirectory) {
	const repository = await openRepository(directory);
	const { signal } = new AbortController();
	const steps = { repository, source: sourceOf(machine), signal };
	const order = await makeOrder(steps, { importId: randomUUID(), machine: 'web01', spec: {}, now: new Date() });
	await copyMoment(steps, { order, moment: await beginMoment(steps, order) });
	await commitMoment(steps, order);
	await repository.store.close();
	return { id: repository.id, time: order.time, tag: order.tag };
}

const sourceOf = ({ files }: MachineInDirectory) => new SimulatedMachineSource(files.directory);

async function tagsLeft(machine: MachineInDirectory): Promise<string[]> {
	return [...new Set((await collect(sourceOf(machine).leftovers(undefined))).map(({ tag }) => tag))];
}

test('what has changed of a machine is backed up after an import that waited for its turn and was ended by force, which `doctor` tells of, and one that failed, and by a schedule', async t => {
	const directory = await temporaryDirectory(t);
	const machine = await makeSimulatedMachine(join(directory, 'machine'));
	const credential = join(directory, 'credential');
	await writeFile(credential, `${secret}\n`, { mode: 0o600 });
	const uri = JSON.stringify(`simulated://${encodeURI(machine.files.directory)}`);
	const config = [
		'host: {kind: simulated}',
		`credentials: {platform: {file: ${JSON.stringify(credential)}}}`,
		`sources: {web: {uri: ${uri}, credential: platform, machine: web01}}`,
	].join('\n');
	const here = await EmbeddedInstallation.up(t, config);
	const first = await firstPoint(here.repository, machine);
	const faults = new Faults(machine.files.faults);
	const temporal = await connectTemporal(here.installation);
	t.after(() => temporal.close());
	const handle = temporal.client.workflow.getHandle(importWorkflowId(first.id, 'web01'));
	const imports = new Imports(temporal);
	const isWaiting = async () =>
		(await imports.view({ machine: 'web01', repositoryId: first.id })).view.phase === 'waiting';

	await faults.set([{ at: 'ready', does: 'pending', times: 1000 }]);
	const broker = new Broker(temporal);
	const turn = 'repository/main/imports';
	const ofImport = { import: { machine: 'web01', repositoryId: first.id } };
	await broker.setTotal({ resource: turn, total: 0 });
	await here.answer('backup', 'start', 'web', '--reason', 'first');
	const isQueued = async () => (await broker.view(ofImport)).waiting.length > 0;
	await waitFor('its place among those that wait', isQueued, { timeoutMs: 60_000, everyMs: 200 });
	const status = await here.answer('backup', 'status', 'web');
	assert.partialDeepStrictEqual(status, { phase: 'queued', broker: { waiting: [{ lacks: [{ resource: turn }] }] } });
	assert.deepEqual(await tagsLeft(machine), [first.tag], 'nothing is begun');
	await broker.setTotal({ resource: turn, total: null });
	await waitFor('its moment', isWaiting, { timeoutMs: 60_000, everyMs: 200 });
	const looked = await gatherSources(here.installation, await loadConfig(here.installation), temporal);
	assert.deepEqual(looked, [{ name: 'web', leftovers: [], problem: undefined }], 'it is under way');
	await handle.terminate();
	const { stdout } = await here.run('doctor');
	const { findings } = findingsSchema.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
	assert.ok(findings.some(({ code, subject }) => subject === 'web' && code === 'import_left_over'));
	const [listed] = listSchema.parse(await here.answer('backup', 'status')).imports;
	assert.partialDeepStrictEqual(listed, { machine: 'web01', source: 'web', workflow: 'TERMINATED' });

	await faults.set([{ at: 'plan', does: 'access_denied' }]);
	const failed = await here.run('backup', 'start', 'web', '--wait');
	assert.equal(failed.exitCode, 4, failed.stderr);
	assert.equal((await here.refusal('backup', 'cancel', 'web')).code, 'phase_wrong');

	await machine.write('disk-0', 5 * block, noise(block, 3));
	const plan = planSchema.parse(await here.answer('backup', 'plan', 'web'));
	assert.equal(plan.base, first.time);
	await faults.set([{ at: 'read', does: 'tell-secret' }]);
	const { outcome, warnings, disks } = answerSchema.parse(await here.answer('backup', 'start', 'web', '--wait'));
	assert.deepEqual([outcome, warnings], ['imported', []]);
	assert.ok(disks.every(({ reads }) => reads === 'changes'));
	assert.partialDeepStrictEqual(await here.answer('backup', 'status', 'web'), { outcome, disks });
	const left = await tagsLeft(machine);
	assert.deepEqual(
		[left.length, left.includes(first.tag)],
		[1, false],
		'of the one that was ended by force nothing is left',
	);

	const history = historyToJSON(await handle.fetchHistory());
	const payloads = [...history.matchAll(/"data": "([^"]*)"/g)].map(([, data]) =>
		Buffer.from(data ?? '', 'base64').toString('latin1'),
	);
	assert.ok(payloads.length > 8);
	const kept = places.temporal(here.installation.home);
	const files = (await readdir(kept)).filter(name => name.startsWith('temporal.db'));
	const databases = await Promise.all(files.map(name => readFile(join(kept, name), 'latin1')));
	for (const texts of [[history], databases])
		assert.ok(
			texts.some(text => text.includes('key=[secret]')),
			'it was told',
		);
	for (const text of [history, ...payloads, ...databases]) assert.ok(!text.includes(secret));

	const never = ['backup', 'schedule', 'add', 'web', '--cron', '99 3 * * *'];
	assert.equal((await here.refusal(...never)).code, 'usage');
	const add = ['backup', 'schedule', 'add', 'web', '--every', '1d'];
	await chmod(credential, 0o644);
	assert.equal((await here.refusal(...add)).code, 'config_invalid', 'it would fail in the night');
	await chmod(credential, 0o600);
	const made = scheduledSchema.parse(await here.answer(...add));
	assert.partialDeepStrictEqual(made.schedules, [{ source: 'web', when: 'every 1d', last: null }]);
	assert.equal((await here.refusal(...add)).code, 'name_conflict');
	await temporal.client.schedule.getHandle(importScheduleId('web')).trigger();
	const isScheduled = async () => (await new ImportSchedules(temporal).list())[0]?.last === 'imported';
	await waitFor('the backup of the schedule', isScheduled, { timeoutMs: 60_000, everyMs: 200 });
	const { entries } = auditSchema.parse(await here.answer('audit', 'import/web'));
	assert.ok(entries.length > 5);
	assert.deepEqual(await here.answer('backup', 'schedule', 'remove', 'web'), { schedules: [] });

	await faults.set([{ at: 'ready', does: 'pending', times: 1000 }]);
	await imports.start({ source: 'web', repository: here.repository, maxRateBytes: null, ...ofImport.import });
	await waitFor('its moment', isWaiting, { timeoutMs: 60_000, everyMs: 200 });
	const brokerHandle = temporal.client.workflow.getHandle(brokerWorkflowId);
	const { runId } = await brokerHandle.describe();
	await brokerHandle.terminate('test');
	const isHeard = async () => {
		const { leases } = await broker.view(ofImport).catch(() => ({ leases: [] }));
		return leases.length === 1 && (await brokerHandle.describe()).runId !== runId;
	};
	await waitFor('another broker to hear what it holds', isHeard, { timeoutMs: 60_000, everyMs: 200 });
});
