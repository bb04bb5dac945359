/** What a host tells a broker, and what of a lease it keeps: docs/architecture.md, "The broker". */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type CapacityReport, type HeldLease, requestIdOf } from '../../model/broker.ts';
import { RouseError } from '../../model/errors.ts';
import { ReportNumbers } from '../../supervisor/files/report-numbers.ts';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';
import { leaseRequest } from '../equipment/broker-site.ts';
import { simulate, type Simulation } from '../equipment/simulated-recovery.ts';

function leaseOf(machine: string, memoryMiB = 4_096, token = 1, step = 'run'): HeldLease {
	const onHost = { recoveries: 1, memoryMiB, vcpus: 2 };
	return {
		request: leaseRequest(machine, { step, hosts: ['local'], onHost, lasting: ['memoryMiB', 'vcpus'] }),
		host: 'local',
		token,
	};
}

const promised = () => Promise.withResolvers<void>();

const idOf = ({ request }: HeldLease) => requestIdOf(request);
const heldIn = ({ held }: CapacityReport) => held.map(idOf);
const lease = leaseOf('r1');

function outside({ resources }: CapacityReport, kind: string): number | undefined {
	return resources[kind]?.outside;
}

/** The recovery takes its place with what was granted, and runs. */
async function runLeased({ recovery }: Simulation): Promise<void> {
	await recovery.step('reserve', { limit: 8, lease });
	await recovery.run();
}

test('`capacity` tells of the host by its name and id, and what is held until the recovery is over', async t => {
	const simulation = await simulate(t, { memoryMiB: 100_000, cpus: 2 });
	const { host, recovery, supervisor } = simulation;
	const empty = await host.client.capacity();
	assert.deepEqual(empty, {
		reporter: 'host/local',
		hostId: (await host.client.host()).hostId,
		number: empty.number,
		resources: {
			recoveries: { total: 8, outside: 0 },
			migrations: { total: 4, outside: 0 },
			memoryMiB: { total: 95_904, outside: 0 },
			vcpus: { total: 64, outside: 0 },
		},
		held: [],
	});
	await runLeased(simulation);
	const running = await host.client.capacity();
	assert.ok(running.number > empty.number);
	assert.deepEqual([running.resources, running.held], [empty.resources, [lease]]);
	await recovery.step('discard', {});
	assert.deepEqual((await supervisor.capacity.report()).held, []);
});

test('`capacity` counts a recovery without a lease as outside: its memory, its processors, its place', async t => {
	const { recovery, host } = await simulate(t);
	await recovery.run();
	const { resources } = await host.client.capacity();
	const { memoryMiB, cpus } = recovery.plan.config;
	const { recoveries, memoryMiB: memory, vcpus } = resources;
	assert.deepEqual([recoveries?.outside, memory?.outside, vcpus?.outside], [1, memoryMiB, cpus]);
});

test('`state.json` of a supervisor before leases loads, and its recovery is outside', async t => {
	const simulation = await simulate(t);
	await runLeased(simulation);
	await simulation.stop();
	const { lease: kept, ...before } = await simulation.state();
	assert.deepEqual(kept, lease);
	await writeFile(simulation.statePath, JSON.stringify(before));
	await simulation.start();
	const report = await simulation.host.client.capacity();
	assert.deepEqual([report.held, outside(report, 'recoveries')], [[], 1]);
});

test('`capacity` has a lease as held again after the supervisor has died', async t => {
	const simulation = await simulate(t);
	await runLeased(simulation);
	const { number } = await simulation.host.client.capacity();
	await simulation.stop();
	await simulation.start();
	const report = await simulation.host.client.capacity();
	assert.deepEqual([report.held, report.number > number], [[lease], true]);
});

test('`capacity` says that a recovery of which nothing can be read may hold a lease', async t => {
	const simulation = await simulate(t);
	await runLeased(simulation);
	assert.equal((await simulation.host.client.capacity()).partial, undefined);
	await simulation.stop();
	await simulation.changeState({ version: 2 });
	await simulation.start();
	const { held, partial } = await simulation.host.client.capacity();
	assert.deepEqual([held, partial], [[], true]);
});

test('a recovery whose supervisor died as soon as it was made has its lease', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await simulation.supervisor.registry.create('r1', { recoveryId: recovery.recoveryId, generation: 0 }, { lease });
	await simulation.stop();
	await simulation.start();
	assert.deepEqual(heldIn(await host.client.capacity()), [idOf(lease)]);
	assert.deepEqual(await host.client.leasesGone([idOf(lease)]), []);
});

test('`finalize` answers which report is the last without the machine among what is outside', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await runLeased(simulation);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	const before = await host.client.capacity();
	assert.deepEqual([heldIn(before), outside(before, 'memoryMiB')], [[idOf(lease)], 0]);
	const { afterReport = 0 } = await recovery.step('finalize', {});
	const after = await host.client.capacity();
	assert.ok(before.number <= afterReport && afterReport < after.number);
	assert.deepEqual([heldIn(after), outside(after, 'memoryMiB')], [[], recovery.plan.config.memoryMiB]);
	assert.equal((await recovery.step('finalize', {})).afterReport, afterReport, 'a repeat answers the same');
	await simulation.stop();
	await simulation.start();
	assert.equal((await recovery.step('finalize', {})).afterReport, afterReport);
	await host.client.machinePower('r1', 'off');
	assert.equal(outside(await host.client.capacity(), 'memoryMiB'), 0, 'one that is off takes nothing');
});

test('`finalize` that ends after its tombstone has left the lease: also in a report before it is asked again', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await runLeased(simulation);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	const before = await host.client.capacity();
	await simulation.stop();
	let reports: CapacityReport[] = [];
	await simulation.start({
		reached: async place => {
			if (place !== 'finalize-machine-file' || reports.length > 0) return;
			reports = [await simulation.supervisor.capacity.report()];
			throw new RouseError('io_failed', 'made to fail');
		},
	});
	await recovery.step('finalize', {}).catch(() => undefined);
	const { afterReport = 0 } = await recovery.step('finalize', {});
	const [between] = reports;
	assert.ok(between && before.number <= afterReport && afterReport < between.number);
	assert.deepEqual([heldIn(between), outside(between, 'memoryMiB')], [[], recovery.plan.config.memoryMiB]);
});

test('`finalize` whose tombstone is being written holds up a report: it has the machine in its lease or outside', async t => {
	const [asked, writing, written] = [promised(), promised(), promised()];
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	const { home } = host.installation;
	await runLeased(simulation);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	await simulation.stop();
	const tombstones = new Tombstones(home);
	const write = tombstones.write.bind(tombstones);
	tombstones.write = async tombstone => {
		writing.resolve();
		await written.promise;
		await write(tombstone);
	};
	const reportNumbers = new ReportNumbers(home, simulation.clock);
	await simulation.start({ tombstones, reportNumbers });
	await host.client.capacity(); // a number that needs no file is given at once
	const ended = recovery.step('finalize', {});
	await writing.promise;
	const next = reportNumbers.next.bind(reportNumbers);
	reportNumbers.next = look => {
		asked.resolve();
		return next(look);
	};
	const report = host.client.capacity();
	await asked.promise;
	await setImmediate(); // whatever waits for nothing has come to its end
	written.resolve();
	const { afterReport = 0 } = await ended;
	const { number, held } = await report;
	assert.deepEqual([number > afterReport, held], [true, []]);
});

test('`reserve` with a lease looks at the memory again, and does not count places', async t => {
	let freeMiB = 100_000;
	const simulation = await simulate(t, { memoryMiB: 100_000, freeMiB: () => freeMiB });
	const { recovery, host, plan } = simulation;
	const room = 100_000 - 4_096; // but for the reserve
	freeMiB = 4_096 + 4_095;
	await assert.rejects(recovery.step('reserve', { limit: 1, lease }), {
		code: 'host_busy',
		message: /4095 MiB of memory are left on this host, not 4096 MiB/,
	});
	freeMiB += 1;
	await recovery.step('reserve', { limit: 1, lease });
	freeMiB = 100_000;
	const second = new SteppedRecovery(host, plan, 'r2');
	const tooMuch = leaseOf('r2', room - 4_096 + 1);
	await assert.rejects(second.step('reserve', { limit: 1, lease: tooMuch }), { code: 'host_busy' });
	await second.step('reserve', { limit: 1, lease: leaseOf('r2', room - 4_096) });
	await assert.rejects(new SteppedRecovery(host, plan, 'r3').step('reserve', { limit: 2 }), { code: 'host_busy' });
});

test('`reserve` that is repeated keeps the lease, and one with a later lease takes that', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	const held = async () => heldIn(await host.client.capacity());
	await recovery.step('reserve', { limit: 8, lease });
	await recovery.step('reserve', { limit: 8, lease });
	await recovery.step('reserve', { limit: 8 });
	assert.deepEqual(await held(), ['recovery/r1/a/run']);
	await recovery.step('reserve', { limit: 8, lease: leaseOf('r1', 4_096, 5, 'run-2') });
	await recovery.step('reserve', { limit: 8, lease });
	assert.deepEqual(await held(), ['recovery/r1/a/run-2']);
	assert.deepEqual((await host.client.adoption('r1')).lease, leaseOf('r1', 4_096, 5, 'run-2'));
});

test('`leases/gone` names what is not here, and `reserve` refuses it from then on, also after a death', async t => {
	const simulation = await simulate(t);
	const { recovery, host, plan } = simulation;
	const gone = [idOf(leaseOf('r2')), 'recovery/r2/a/migrate-1'];
	assert.deepEqual(await host.client.leasesGone(gone), gone);
	assert.deepEqual(await host.client.leasesGone(gone), gone);
	const late = new SteppedRecovery(host, plan, 'r2');
	const refused = { code: 'lease_ended' };
	await assert.rejects(late.step('reserve', { limit: 8, lease: leaseOf('r2') }), refused);
	await simulation.stop();
	await simulation.start();
	await assert.rejects(late.step('reserve', { limit: 8, lease: leaseOf('r2') }), refused);
	await late.step('reserve', { limit: 8, lease: leaseOf('r2', 4_096, 2, 'run-2') });
	await recovery.step('reserve', { limit: 8 });
	await host.client.leasesGone(['recovery/other/a/run']);
	await assert.rejects(recovery.step('reserve', { limit: 8, lease: leaseOf('other') }), refused);
});

test('`leases/gone` names nothing of a recovery that is not over here, whichever run of its workflow holds it', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await runLeased(simulation);
	const of = [idOf(lease), 'recovery/r1/a/run-2', 'recovery/r1/another/run'];
	assert.deepEqual(await host.client.leasesGone(of), []);
	await recovery.step('power', { action: 'off' });
	assert.deepEqual(await host.client.leasesGone(of), [], 'a machine that is off may be powered on');
	await recovery.step('discard', {});
	assert.deepEqual(await host.client.leasesGone(of), of);
});

test('`leases/gone` names the stream of a recovery that is not over once its copy is', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await runLeased(simulation);
	const streams = ['recovery/r1/a/migrate', 'recovery/r1/another/migrate-7'];
	await recovery.step('migrate-chunks', { maxRateBytes: 1 });
	assert.deepEqual(await host.client.leasesGone(streams), [], 'it copies, whoever asked it to');
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	assert.deepEqual(await host.client.leasesGone([...streams, idOf(lease)]), streams);
});

test('`leases/gone` names the stream of a copy that is paused, once its mover was seen to have stopped', async t => {
	const simulation = await simulate(t);
	const { recovery, host, pair } = simulation;
	await runLeased(simulation);
	const streams = ['recovery/r1/a/migrate'];
	await recovery.step('migrate-chunks', { maxRateBytes: 1 });
	pair.migration.hang();
	await assert.rejects(recovery.step('pause-migration', {}), { code: 'mover_unreachable' });
	assert.deepEqual(await host.client.leasesGone(streams), [], 'it may copy on');
	pair.migration.goOn();
	await recovery.step('pause-migration', {});
	assert.deepEqual(await host.client.leasesGone(streams), streams);
	assert.deepEqual(outside(await host.client.capacity(), 'migrations'), 0);
});

test('`leases/gone` names nothing of one whose removal has not come to its end', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await runLeased(simulation);
	await simulation.stop();
	let stuck = true;
	await simulation.start({
		reached: async place => {
			if (place === 'discard-machine' && stuck) throw new RouseError('hypervisor_stuck', 'made to fail');
		},
	});
	await assert.rejects(recovery.step('discard', {}), { code: 'hypervisor_stuck' });
	assert.deepEqual(await host.client.leasesGone([idOf(lease)]), []);
	assert.deepEqual(heldIn(await host.client.capacity()), [idOf(lease)]);
	stuck = false;
	await recovery.step('discard', {});
	assert.deepEqual(await host.client.leasesGone([idOf(lease)]), [idOf(lease)]);
});

test('`leases/gone` of a finished machine comes after the machine is among what is outside', async t => {
	const simulation = await simulate(t);
	const { recovery, host } = simulation;
	await runLeased(simulation);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	assert.deepEqual(await host.client.leasesGone([idOf(lease)]), []);
	await recovery.step('finalize', {});
	assert.deepEqual(await host.client.leasesGone([idOf(lease)]), [idOf(lease)]);
	const report = await host.client.capacity();
	assert.equal(outside(report, 'memoryMiB'), recovery.plan.config.memoryMiB);
});

test('`leases/gone` names nothing while a recovery here cannot be read: it may be whose the lease is', async t => {
	const simulation = await simulate(t);
	await runLeased(simulation);
	await simulation.stop();
	const kept = await readFile(simulation.statePath, 'utf8');
	await writeFile(simulation.statePath, '{');
	await simulation.start();
	assert.deepEqual(await simulation.host.client.leasesGone(['recovery/x/a/run']), []);
	await simulation.stop();
	await writeFile(simulation.statePath, kept);
	await simulation.start();
	assert.deepEqual(await simulation.host.client.leasesGone(['recovery/x/a/run']), ['recovery/x/a/run']);
});

test('`abandon` takes a recovery from its lease: what runs on is outside', async t => {
	const simulation = await simulate(t);
	await runLeased(simulation);
	await simulation.recovery.step('abandon', {});
	const report = await simulation.host.client.capacity();
	assert.deepEqual([report.held, outside(report, 'recoveries')], [[], 1]);
	assert.equal(outside(report, 'memoryMiB'), simulation.recovery.plan.config.memoryMiB);
});

test('`capacity` of a host that config.yaml limits', async t => {
	const { host } = await simulate(t, { memoryMiB: 100_000, cpus: 2 });
	const path = join(host.installation.home, 'config.yaml');
	await writeFile(path, 'host:\n  recoveries: 3\n  migrations: 2\n  vcpus: 5\n  memoryReserveMiB: 1000\n');
	const { resources } = await host.client.capacity();
	assert.deepEqual(
		['recoveries', 'migrations', 'vcpus', 'memoryMiB'].map(kind => resources[kind]?.total),
		[3, 2, 5, 99_000],
	);
});
