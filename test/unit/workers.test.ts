import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTogether } from '../../workers/run.ts';

/** Runs until it is shut down, or fails. */
function worker() {
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	const self = { running: false, fail: reject };
	return Object.assign(self, {
		run: async () => {
			self.running = true;
			await promise.finally(() => (self.running = false));
		},
		shutdown: () => resolve(),
		getState: () => (self.running ? ('RUNNING' as const) : ('STOPPED' as const)),
	});
}

test('`runTogether` with a worker that fails shuts down the others, and throws when none runs any more', async () => {
	const [first, second] = [worker(), worker()];
	const together = runTogether([first, second]);
	first.fail(new Error('the server is gone'));
	await assert.rejects(together, /the server is gone/);
	assert.equal(second.running, false);
});
