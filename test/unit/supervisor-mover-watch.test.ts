import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { Mover } from '../../supervisor/movers/movers.ts';
import { MoverWatch } from '../../supervisor/movers/watch.ts';
import { TestClock } from '../equipment/test-clock.ts';

/** A mover that is nothing but a pid. */
function fakeMover() {
	const fake = { pid: 0, silent: false, calls: [] as string[] };
	const mover: Mover<{ state(): Promise<string> }> = {
		kind: 'mount',
		control: {
			state: async () => {
				if (fake.silent) throw new RouseError('mover_unreachable', 'no answer');
				return 'well';
			},
		},
		holder: async () => (fake.pid === 0 ? undefined : { pid: fake.pid, startTicks: '1' }),
		start: async () => {
			fake.calls.push('start');
			fake.pid += 1;
		},
		end: async () => {
			fake.calls.push('end');
			fake.pid = 0;
			return true;
		},
		remove: async () => undefined,
	};
	return Object.assign(fake, { mover });
}

const unwritable = () => Promise.reject(new Error('no space left'));

test('`keep` starts a mover that died also where its incident cannot be written down', async () => {
	const fake = fakeMover();
	const watch = new MoverWatch(fake.mover, new TestClock(), unwritable);
	await assert.rejects(watch.keep(), /no space left/);
	assert.deepEqual(fake.calls, ['start']);
});

test('`keep` replaces a mover that hangs also where its incident cannot be written down', async () => {
	const fake = fakeMover();
	fake.pid = 1;
	const clock = new TestClock();
	const watch = new MoverWatch(fake.mover, clock, unwritable);
	assert.equal(await watch.keep(), 'well');
	fake.silent = true;
	clock.ms += 6_000;
	await assert.rejects(watch.keep(), /no space left/);
	assert.deepEqual(fake.calls, ['end', 'start']);
});
