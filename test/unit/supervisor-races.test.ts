/** Requests and looks that come at the same moment. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { waitFor } from '../../system/wait.ts';
import { plan, prepare } from '../equipment/pretended-recovery.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';

/** Answers in the order in which it was asked. */
class OrderlyTombstones extends Tombstones {
	#last: Promise<unknown> = Promise.resolve();

	override read(recoveryId: string) {
		const answer = this.#last.then(() => super.read(recoveryId));
		this.#last = answer;
		return answer;
	}
}

test('a discard that meets the recovery being made ends it like any other', async t => {
	const { host, recovery, inner, start } = await prepare(t);
	await inner.stop();
	const { supervisor } = await start({ tombstones: new OrderlyTombstones(host.installation.home) });
	const { recoveryId } = recovery;
	const [, discarded] = await Promise.allSettled([
		supervisor.step('r1', 'reserve', { recoveryId, generation: 1, limit: 8 }),
		supervisor.step('r1', 'discard', { recoveryId, generation: 2 }),
	]);
	assert.deepEqual(discarded, { status: 'fulfilled', value: { incidents: [] } });
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('the mover of a repository is not ended under a recovery that has just come', async t => {
	let skew = 0;
	const { host, recovery, movers } = await prepare(t, { clock: () => performance.now() + skew });
	await recovery.run();
	const next = new SteppedRecovery(host, plan, 'r2');
	const known = movers.knownRepositories.bind(movers);
	let asked = 0;
	let arrived = false;
	movers.knownRepositories = async () => {
		const found = await known();
		asked += 1;
		if (skew > 0 && !arrived) {
			arrived = true;
			await next.step('allocate', { plan });
		}
		return found;
	};
	await recovery.step('discard', {});
	const before = asked;
	await waitFor('it to be seen unused', () => asked > before + 1, { timeoutMs: 10_000 });
	skew = 60_000;
	await waitFor('another look', () => arrived && asked > before + 4, { timeoutMs: 10_000 });
	assert.ok(movers.repositories.get('/repository')?.alive);
});
