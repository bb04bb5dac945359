/** Requests and looks that come at the same moment. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { waitFor } from '../../system/wait.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';
import { simulate } from '../equipment/simulated-recovery.ts';

/** Answers in the order in which it was asked. */
class OrderlyTombstones extends Tombstones {
	#last: Promise<unknown> = Promise.resolve();

	override read(recoveryId: string) {
		const answer = this.#last.then(() => super.read(recoveryId));
		this.#last = answer;
		return answer;
	}
}

test('`discard` that meets the recovery being made ends it like any other', async t => {
	const simulation = await simulate(t);
	const { host, recovery } = simulation;
	await simulation.stop();
	await simulation.start({ tombstones: new OrderlyTombstones(host.installation.home) });
	const { supervisor } = simulation;
	const { recoveryId } = recovery;
	const [, discarded] = await Promise.allSettled([
		supervisor.step('r1', 'reserve', { recoveryId, generation: 1, limit: 8 }),
		supervisor.step('r1', 'discard', { recoveryId, generation: 2 }),
	]);
	assert.deepEqual(discarded, { status: 'fulfilled', value: { incidents: [], wasHere: true } });
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('the mover of a repository is not ended under a recovery that has just come', async t => {
	const { host, plan, recovery, movers, clock, supervisor } = await simulate(t);
	await recovery.run();
	const next = new SteppedRecovery(host, plan, 'r2');
	const known = movers.knownRepositories.bind(movers);
	/** Looks since nobody used the mover. */
	let looks = 0;
	movers.knownRepositories = async () => {
		const found = await known();
		const used = supervisor.registry.recoveries().some(({ tombstone }) => tombstone === undefined);
		if (used && looks === 0) return found;
		looks += 1;
		// The first has seen it unused; by the next it has been so for long, and just then somebody comes.
		if (looks === 1) clock.pass(60_000);
		if (looks === 2) await next.step('allocate', { plan });
		return found;
	};
	await recovery.step('discard', {});
	await waitFor('more looks', () => looks > 4, { timeoutMs: 30_000 });
	assert.notEqual(movers.repositoryLife(plan.repository).holder, undefined);
});

test('a discard that waits behind another one spares the recovery that has the name by then', async t => {
	const { host, plan, recovery, calls, supervisor } = await simulate(t);
	await recovery.run();
	const next = new SteppedRecovery(host, plan);
	const { recoveryId } = recovery;
	let removals = 0;
	calls.before = async place => {
		if (place !== 'remove') return;
		removals += 1;
		if (removals === 1) void supervisor.step('r1', 'discard', { recoveryId, generation: 101 }).catch(() => undefined);
		else await next.step('allocate', { plan });
	};
	await supervisor.step('r1', 'discard', { recoveryId, generation: 100 }).catch(() => undefined); // it was outranked
	await supervisor.step('r1', 'discard', { recoveryId, generation: 102 });
	if (removals === 1) await next.step('allocate', { plan });
	await next.run();
	assert.equal((await next.view()).power, 'on');
});
