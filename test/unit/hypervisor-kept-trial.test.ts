import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { keptTrial } from '../../hypervisors/qemu/kept-trial.ts';

suite('`keptTrial`', () => {
	function trial(...answers: (string | undefined | Error)[]) {
		let [now, tries] = [0, 0];
		const ask = keptTrial(
			async () => {
				const answer = answers[tries++];
				if (answer instanceof Error) throw answer;
				return answer;
			},
			{ clock: () => now },
		);
		return { ask, pass: (ms: number) => (now += ms), tries: () => tries };
	}

	test('tries again what failed when somebody asks a minute later, and not before', async () => {
		const { ask, pass, tries } = trial('fork failed', undefined, 'never asked');
		assert.deepEqual(await Promise.all([ask(), ask()]), ['fork failed', 'fork failed']);
		pass(59_999);
		assert.equal(await ask(), 'fork failed');
		assert.equal(tries(), 1);
		pass(1);
		assert.equal(await ask(), undefined);
		pass(1_000_000);
		assert.equal(await ask(), undefined);
		assert.equal(tries(), 2);
	});

	test('tries again at once what could not be tried', async () => {
		const { ask } = trial(new Error('busy'), undefined);
		await assert.rejects(ask(), /busy/);
		assert.equal(await ask(), undefined);
	});
});
