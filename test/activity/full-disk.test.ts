/**
 * A real file system that somebody else fills before each step of a recovery: nothing dies, each step says what is short
 * and what to do, a discard makes room, and once there is room the step is done.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { asRouseError } from '../../model/errors.ts';
import { nextAfter } from '../../model/next.ts';
import { places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { simulate, type Simulation } from '../equipment/simulated-recovery.ts';
import { SmallFileSystem } from '../equipment/small-file-system.ts';

type Options = { again?: boolean };

const steps: readonly [string, (simulation: Simulation, options?: Options) => Promise<unknown>][] = [
	['reserve', ({ recovery }, options) => recovery.step('reserve', { limit: 8 }, options)],
	['allocate', ({ recovery, plan }, options) => recovery.step('allocate', { plan }, options)],
	['create-machine', ({ recovery }, options) => recovery.step('create-machine', {}, options)],
	['start-movers', ({ recovery }, options) => recovery.step('start-movers', {}, options)],
	['snapshot', ({ recovery }, options) => recovery.step('snapshot', {}, options)],
	['power-on', ({ recovery }, options) => recovery.step('power-on', { on: true }, options)],
	['switch-to-target', ({ recovery }, options) => recovery.step('switch-to-target', {}, options)],
	['finalize', ({ recovery }, options) => recovery.step('finalize', {}, options)],
];

async function onSmallDisk(t: TestContext): Promise<{ disk: SmallFileSystem; simulation: Simulation }> {
	const disk = await SmallFileSystem.create(t);
	const directory = join(disk.directory, 'home');
	await mkdir(directory);
	const simulation = await simulate(disk, { directory });
	await ballastIsThere(simulation);
	return { disk, simulation };
}

const ballastOf = ({ host }: Simulation) => places.ballast(host.installation.home);
const ballastIsThere = (simulation: Simulation) =>
	waitFor('the ballast', () => existsSync(ballastOf(simulation)), { timeoutMs: 10_000 });

/** Done, or refused with what a person needs to know. */
async function refused(work: Promise<unknown>): Promise<boolean> {
	try {
		await work;
		return false;
	} catch (thrown) {
		const { code, message, hint } = asRouseError(thrown);
		assert.equal(code, 'space_short', message);
		assert.match(nextAfter({ hint }).first ?? '', /^make room/, message);
		return true;
	}
}

/** What comes before `until`, with room. */
async function bringTo(simulation: Simulation, until: string): Promise<void> {
	for (const [step, order] of steps) {
		if (step === 'switch-to-target') await simulation.recovery.restore();
		if (step === until) return;
		await order(simulation);
	}
}

test('a recovery whose disk is full before every step is refused each, and goes on when there is room', async t => {
	const { disk, simulation } = await onSmallDisk(t);
	const { recovery, host, guest } = simulation;
	const refusals: string[] = [];
	for (const [step, order] of steps) {
		if (step === 'switch-to-target') {
			await guest.write(0, 0, Buffer.alloc(4096, 7));
			await recovery.restore();
		}
		await disk.fill();
		if (await refused(order(simulation))) refusals.push(step);
		await host.client.recoveries(); // it lives, and answers
		await disk.makeRoom();
		if (step === 'finalize') await ended(simulation);
		await order(simulation, { again: true });
	}
	assert.ok(refusals.length >= 4, `full only at ${refusals.join()}`);
	assert.equal(refusals.includes('finalize'), false, 'the ballast was there for it');
	assert.deepEqual(await guest.read(0, 0, 4096), Buffer.alloc(4096, 7));
});

async function ended({ host, recovery }: Simulation): Promise<void> {
	await waitFor('the finish', async () => (await host.client.recovery(recovery.name)).state === 'finished', {
		timeoutMs: 20_000,
	});
}

for (const [step, order] of steps.slice(0, -1))
	test(`\`discard\` on a disk that is full at ${step} makes room`, async t => {
		const { disk, simulation } = await onSmallDisk(t);
		const { recovery, host } = simulation;
		await bringTo(simulation, step);
		await disk.fill();
		await refused(order(simulation));
		await recovery.step('discard', {});
		assert.equal(existsSync(host.directory(recovery.name)), false);
		assert.deepEqual(await readdir(places.tombstones(host.installation.home)), [`${recovery.recoveryId}.json`]);
		await disk.makeRoom();
		simulation.clock.pass(60_000);
		await ballastIsThere(simulation);
	});

test('a guest that finds no room stands still, is blocked as that, and goes on with `retry` after room was made', async t => {
	const { disk, simulation } = await onSmallDisk(t);
	const { recovery, guest } = simulation;
	await recovery.run();
	await disk.fill();
	const written = guest.write(0, 0, Buffer.alloc(128 * 1024, 9));
	const { blocked } = await recovery.viewed('blocked', view => view.blocked !== null);
	assert.deepEqual([blocked?.code, blocked?.next.order], ['space_short', 'retry']);
	assert.match(blocked?.next.first ?? '', /^make room/);
	await refused(recovery.step('retry', {})); // too early
	await recovery.viewed('blocked again', view => view.blocked !== null);
	await disk.makeRoom();
	await recovery.step('retry', {});
	assert.equal(await written, true);
	assert.deepEqual(await guest.read(0, 0, 128 * 1024), Buffer.alloc(128 * 1024, 9));
	await recovery.viewed('not blocked', view => view.blocked === null && view.power === 'on');
});
