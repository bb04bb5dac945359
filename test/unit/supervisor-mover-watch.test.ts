import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { Mover } from '../../supervisor/movers/movers.ts';
import { MoverWatch } from '../../supervisor/movers/watch.ts';
import { TestClock } from '../equipment/test-clock.ts';

/** A mover that is nothing but a pid. */
function fakeMover() {
	const fake = { pid: 0, starts: 0, silent: false, calls: [] as string[] };
	const mover: Mover<{ state(): Promise<string> }> = {
		kind: 'mount',
		control: {
			state: async () => {
				if (fake.silent) throw new RouseError('mover_unreachable', 'no answer');
				return 'well';
			},
		},
		holder: async () => (fake.pid === 0 ? undefined : { pid: fake.pid, startTicks: `${fake.starts}` }),
		start: async () => {
			fake.calls.push('start');
			fake.pid += 1;
			fake.starts += 1;
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

test('`keep` gives one that does not answer twice the time at each start, and the usual one after it was sound', async () => {
	const fake = fakeMover();
	fake.silent = true;
	const clock = new TestClock();
	const watch = new MoverWatch(fake.mover, clock, async () => undefined);
	const secondsUntilReplaced = async () => {
		await watch.keep();
		const { starts } = fake;
		let seconds = 0;
		for (; fake.starts === starts; seconds++) {
			clock.ms += 1_000;
			await watch.keep();
		}
		return seconds;
	};
	await watch.keep();
	const waited = [];
	for (let start = 0; start < 6; start++) waited.push(await secondsUntilReplaced());
	assert.deepEqual(waited, [16, 31, 61, 121, 241, 241]);
	fake.silent = false;
	assert.equal(await watch.keep(), 'well');
	clock.ms += 11_000;
	assert.equal(await watch.keep(), 'well');
	fake.silent = true;
	assert.deepEqual([await secondsUntilReplaced(), await secondsUntilReplaced()], [6, 31]);
});
