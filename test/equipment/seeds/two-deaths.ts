import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MannerName } from '../../../hypervisors/simulated/host.ts';
import { Random } from './random.ts';
import { storedMachine } from './seed-test.ts';
import { companions, type Death } from './deaths.ts';
import { SeededRecovery } from './seeded-recovery.ts';
import { Sandbox } from '../sandbox.ts';

const atOnce = 12;
const nowhere = 'nowhere';

/** A test in which the supervisor and something else die at once, at every place that a supervisor comes to. */
export function testTwoDeaths(like: MannerName): void {
	test(`a recovery on a host like a ${like} finishes, whatever dies with its supervisor at whatever place`, async t => {
		const sandbox = await Sandbox.create();
		const { machine, remove } = await storedMachine();
		t.after(async () => {
			await sandbox.destroy();
			await remove();
		});
		const live = async (death: Death) => {
			const recovery = await SeededRecovery.begin(sandbox, machine, new Random(1), { like, death });
			await recovery.live();
			assert.equal(recovery.phase, 'finished');
			if (death.place !== nowhere) assert.ok(recovery.deathsMet > 0, 'its supervisor never came to that place');
			return recovery;
		};
		const { places } = await live({ place: nowhere, with: 'nobody' });
		const deaths = [...places].flatMap(place => companions.map(companion => ({ place, with: companion })));
		t.diagnostic(`${places.size} places: ${[...places].join(', ')}`);
		const failures: string[] = [];
		const worker = async () => {
			for (let death = deaths.shift(); death; death = deaths.shift()) {
				const what = `${death.with} at ${death.place}`;
				await live(death).catch((error: unknown) => failures.push(`${what}: ${String(error)}`));
			}
		};
		await Promise.all(Array.from({ length: atOnce }, worker));
		assert.deepEqual(failures, []);
	});
}
