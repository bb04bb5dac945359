import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';
import { hardwareRequest } from '../../activities/hardware-request.ts';
import { caller } from '../../client/caller.ts';
import { connectTo, type TemporalClient } from '../../client/connection.ts';
import { HostElsewhere } from '../../client/host-elsewhere.ts';
import { untilHostPolls } from '../../client/host-polls.ts';
import { selftestElsewhere } from '../../client/host-selftest.ts';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { planOf } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { sampleHostView } from '../equipment/sample-host.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const asked = { reason: 'because' };
const timeoutMs = 60_000;

let place: TestInstallation;
let supervisor: SupervisorDouble;
let stored: RecoveryRequest;
let temporal: TemporalClient;
let recoveries: Recoveries;
let orders: Orders;
/** For what nobody will answer. */
let impatient: Orders;
let control: OwnProcess;
let server: OwnProcess;
let host: OwnProcess;

before(async () => {
	place = await TestInstallation.create();
	stored = await storedMachine(place.installation.home);
	supervisor = await SupervisorDouble.start(place.installation);
	server = await place.startServer();
	control = place.startWorkers('control');
	host = place.startWorkers('host');
	temporal = await place.connect();
	recoveries = new Recoveries(temporal);
	orders = new Orders(temporal);
	impatient = new Orders(temporal, { limitMs: 3_000 });
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

const request = (name: string): RecoveryRequest => ({ ...stored, name, machineName: name });
const withCode = (code: ErrorCode) => (error: unknown) => error instanceof RouseError && error.code === code;

async function startRunning(name: string): Promise<RecoveryRequest> {
	await recoveries.start(request(name));
	await recoveries.waitFor(name, 'running', { timeoutMs });
	return request(name);
}

test('`untilHostPolls` comes back for a host whose worker is there, and for no other', async () => {
	const { signal } = new AbortController();
	await untilHostPolls(temporal, stored.hostId, { timeoutMs, signal });
	await assert.rejects(untilHostPolls(temporal, randomUUID(), { timeoutMs: 1, signal }), withCode('timeout'));
});

test('the same request attaches whoever asks, and another one under the name is refused', async () => {
	const first = await startRunning('same');
	assert.equal((await recoveries.start({ ...first, reason: 'other' })).outcome, 'attached');
	await assert.rejects(recoveries.start({ ...first, allocate: 'start' }), withCode('name_conflict'));
});

test('a machine that is asked whether it is ready tells what is in the way, until somebody takes the connection', async t => {
	const listener = createServer();
	const listen = async (port: number) => {
		await once(listener.listen(port, '127.0.0.1'), 'listening');
		const address = listener.address();
		return typeof address === 'object' && address ? address.port : 0;
	};
	const port = await listen(0);
	await new Promise(resolve => listener.close(resolve));
	const check = { by: 'tcp', address: '127.0.0.1', port } as const;
	await recoveries.start({ ...request('asked'), readiness: { check, timeoutMs: 600_000 } });
	const says = async () => (await recoveries.show('asked')).pending.find(step => step.step === 'checkReadiness')?.says;
	assert.match(await waitFor('the first look', says, { timeoutMs }), /ECONNREFUSED/);
	assert.equal((await recoveries.show('asked')).status?.readiness?.is, 'waiting');
	await listen(port);
	t.after(() => listener.close());
	const ready = async () => (await recoveries.show('asked')).status?.timings.readyAt;
	assert.ok(await waitFor('it to be ready', ready, { timeoutMs }));
});

test('a discarded name is used again only with again', async () => {
	const first = await startRunning('twice');
	const earlier = await recoveries.show('twice');
	await orders.discard('twice', { ...asked, confirm: 'twice' });
	await recoveries.waitFor('twice', 'discarded', { timeoutMs });
	await assert.rejects(recoveries.start(first), withCode('name_conflict'));
	supervisor.views.delete('twice');
	assert.equal((await recoveries.start(first, { again: true })).outcome, 'started');
	await recoveries.waitFor('twice', 'running', { timeoutMs });
	assert.notEqual((await recoveries.show('twice')).recoveryId, earlier.recoveryId);
});

test('the name of a failed recovery is free, and waiting for it throws its code', async () => {
	supervisor.failing.set('create-machine', new RouseError('hypervisor_stuck', 'no'));
	await recoveries.start(request('fails'));
	await assert.rejects(recoveries.waitFor('fails', 'running', { timeoutMs }), withCode('hypervisor_stuck'));
	await assert.rejects(recoveries.result('fails'), withCode('hypervisor_stuck'));
	supervisor.failing.clear();
	supervisor.views.delete('fails');
	assert.equal((await recoveries.start(request('fails'))).outcome, 'started');
	await recoveries.waitFor('fails', 'running', { timeoutMs });
});

test('a step in a retry loop is shown with its attempts and last failure, which go to the incident log', async () => {
	supervisor.failing.set('snapshot', new RouseError('mover_unreachable', 'nobody listens'));
	await recoveries.start(request('loops'));
	const pending = await waitFor(
		'the third attempt',
		async () => (await recoveries.show('loops')).pending.find(({ attempt }) => attempt >= 3),
		{ timeoutMs },
	);
	assert.equal(pending.step, 'snapshot');
	assert.equal(pending.lastFailure?.code, 'mover_unreachable');
	supervisor.failing.clear();
	await recoveries.waitFor('loops', 'running', { timeoutMs });
	const kinds = supervisor.incidents.filter(({ message }) => message === 'snapshot: nobody listens');
	assert.ok(kinds.length >= 2, JSON.stringify(supervisor.incidents));
});

test('a full host is waited for, is no incident, and says why in show', async () => {
	supervisor.failing.set('reserve', new RouseError('host_busy', '8 of 8 recoveries'));
	await recoveries.start(request('queues'));
	const pending = await waitFor(
		'a refusal',
		async () => (await recoveries.show('queues')).pending.find(({ lastFailure }) => lastFailure),
		{ timeoutMs },
	);
	assert.equal(pending.lastFailure?.code, 'host_busy');
	assert.equal((await recoveries.show('queues')).phase, 'waiting');
	supervisor.failing.clear();
	await recoveries.waitFor('queues', 'running', { timeoutMs });
	assert.ok(!supervisor.incidents.some(({ message }) => message.includes('reserve')));
});

test('what the host is blocked by reaches the workflow and ends a wait with parked', async () => {
	await startRunning('blocked');
	supervisor.view('blocked').blocked = {
		code: 'chunk_bad',
		reason: 'chunk 3',
		next: { order: 'retry', first: 'repair it' },
	};
	await assert.rejects(recoveries.waitFor('blocked', 'finished', { timeoutMs }), withCode('parked'));
	await orders.retry('blocked', asked);
	await waitFor('unparked', async () => (await recoveries.peek('blocked')).status?.parked === null, { timeoutMs });
});

test('the restored bytes come from the heartbeat of the slice', async () => {
	await startRunning('copies');
	supervisor.view('copies').disks = [{ sizeBytes: 1 << 20, restoredBytes: 4096, path: '/nowhere' }];
	await orders.migrate('copies', asked);
	await waitFor('progress', async () => (await recoveries.show('copies')).restoredBytes === 4096, { timeoutMs });
});

test('an order that comes too late or for nobody is refused by its code', async () => {
	await startRunning('late');
	await assert.rejects(orders.switch('late', asked), {
		code: 'phase_wrong',
		details: { recovery: 'late', phase: 'running', order: 'switch' },
	});
	await assert.rejects(orders.discard('late', { ...asked, confirm: 'early' }), withCode('usage'));
	await assert.rejects(orders.migrate('nobody', asked), withCode('recovery_unknown'));
	await orders.discard('late', { ...asked, confirm: 'late' });
	await recoveries.waitFor('late', 'discarded', { timeoutMs });
	await assert.rejects(orders.migrate('late', asked), withCode('phase_wrong'));
});

test('an order that the host refuses throws its code, with the order that would help', async () => {
	await startRunning('off');
	const details = { recovery: 'off', next: 'power-on' };
	supervisor.failing.set('power', new RouseError('phase_wrong', 'the machine is off', { details }));
	await assert.rejects(orders.power('off', { ...asked, action: 'reset' }), { code: 'phase_wrong', details });
	supervisor.failing.clear();
});

test('the history has steps, orders and ends', async () => {
	await startRunning('told');
	await orders.discard('told', { ...asked, confirm: 'told' });
	await recoveries.result('told');
	const entries = await recoveries.history('told');
	const kinds = entries.map(({ kind, name }) => (name ? `${kind} ${name}` : kind));
	for (const wanted of ['started', 'step_finished powerOn', 'asked discard', 'step_finished discard', 'finished'])
		assert.ok(kinds.includes(wanted), `${wanted} in ${kinds.join(', ')}`);
	const order = entries.find(({ kind }) => kind === 'asked');
	assert.deepEqual(order?.content, { ...asked, confirm: 'told', by: caller() });
});

test('every recovery is listed once, with its newest run', async () => {
	const names = await waitFor(
		'visibility',
		async () => {
			const all = (await recoveries.list()).map(({ name }) => name);
			return all.includes('told') && all;
		},
		{ timeoutMs },
	);
	assert.equal(new Set(names).size, names.length);
});

test('a host of another machine answers by way of Temporal as its supervisor does, and one without a worker is told', async () => {
	await startRunning('elsewhere');
	const { hostId } = stored;
	supervisor.hostView = { ...sampleHostView, hostId };
	const hv1 = new HostElsewhere(temporal, { name: sampleHostView.name, hostId });
	assert.deepEqual(await hv1.host(), supervisor.hostView);
	await assert.rejects(new HostElsewhere(temporal, { name: 'hv1', hostId }).host(), withCode('identity_conflict'));
	assert.deepEqual(await hv1.hardware(hardwareRequest(planOf(stored))), sampleHardware);
	assert.equal((await hv1.recovery('elsewhere')).name, 'elsewhere');
	await assert.rejects(hv1.recovery('nowhere'), withCode('recovery_unknown'));
	const nobody = new HostElsewhere(temporal, { name: 'hv2', hostId: randomUUID() });
	await assert.rejects(nobody.host(), { code: 'worker_missing', message: /host hv2 does not answer/ });
});

test('a self test of a host of another machine is begun by its worker, and one without a worker is told', async () => {
	const told: object[] = [];
	const how = { long: false, signal: new AbortController().signal, tell: (line: object) => told.push(line) };
	const { hostId } = stored;
	await assert.rejects(selftestElsewhere(temporal, { name: 'hv1', hostId }, how), {
		code: 'config_invalid',
		message: /it has no Windows host/,
	});
	const nobody = { name: 'hv2', hostId: randomUUID() };
	await assert.rejects(selftestElsewhere(temporal, nobody, how), withCode('worker_missing'));
	assert.deepEqual(told, []);
});

test('nobody at the address is temporal_unreachable', async () => {
	await assert.rejects(connectTo({ address: '127.0.0.1:1', namespace: 'default' }), withCode('temporal_unreachable'));
});

// Last: it takes the control worker away.
test('without a control worker list and show answer, and an order names the missing worker', async () => {
	await startRunning('alone');
	await control.end('SIGKILL');
	const details = await recoveries.show('alone');
	assert.deepEqual([details.phase, details.statusFrom, details.status?.power], ['running', 'memo', 'on']);
	assert.ok((await recoveries.list()).length > 0);
	await assert.rejects(impatient.migrate('alone', asked), withCode('worker_missing'));
});

// After the last one: it takes the server away.
test('an order that is under way when the server dies is temporal_unreachable', async () => {
	control = place.startWorkers('control');
	await startRunning('bereft');
	await host.end('SIGKILL'); // nobody carries it out
	const refused = assert.rejects(orders.power('bereft', { ...asked, action: 'off' }), withCode('temporal_unreachable'));
	await waitFor('the order', async () => (await recoveries.show('bereft')).pending.length > 0, { timeoutMs });
	await server.end('SIGKILL');
	await refused;
});
