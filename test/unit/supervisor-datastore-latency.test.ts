import assert from 'node:assert/strict';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { DatastoreLatency } from '../../supervisor/pace/datastore-latency.ts';
import { deviceNumbers, meanMs, statisticsOf } from '../../supervisor/pace/disk-statistics.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { systemClock } from '../../system/clock.ts';
import { TestClock } from '../equipment/test-clock.ts';

const diskstats = [
	'   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0',
	' 254       0 vda 105115 15645 3727826 43001 43338 136988 18203056 99935 0 20856 146615 16043 57 7635016 2988 6364 690',
	' 254       1 vda1 5 0 0 10 5 0 0 10 0 20 20 0 0 0 0 0 0',
].join('\n');

suite('`statisticsOf`', () => {
	test('are those of the device with these numbers', () => {
		const vda = { name: 'vda', operations: 105115 + 43338, operationsMs: 43001 + 99935, busyMs: 20856 };
		assert.deepEqual(statisticsOf(diskstats, { major: 254, minor: 0 }), vda);
		assert.equal(statisticsOf(diskstats, { major: 254, minor: 1 })?.name, 'vda1');
		assert.equal(statisticsOf(diskstats, { major: 0, minor: 41 }), undefined);
	});

	test('`deviceNumbers` takes numbers apart as stat(2) puts them together', () => {
		assert.deepEqual(deviceNumbers(0xfe00n), { major: 254, minor: 0 });
		assert.deepEqual(deviceNumbers(0x1000_0010_0805n), { major: 0x1008, minor: 0x105 });
	});
});

suite('`meanMs`', () => {
	const before = { name: 'vda', operations: 100, operationsMs: 1_000, busyMs: 500 };
	const after = (operations: number, operationsMs: number, busyMs: number) =>
		meanMs(
			before,
			{ name: 'vda', operations: 100 + operations, operationsMs: 1_000 + operationsMs, busyMs: 500 + busyMs },
			10_000,
		);

	test('is the time of an operation between two looks', () => assert.equal(after(200, 5_000, 4_000), 25));
	test('is nothing where next to nothing was to do', () => assert.equal(after(2, 300, 300), 0));
	test('is all the time where the device is stuck', () => assert.equal(after(0, 0, 9_900), 10_000));
	test('is not known when counts began anew, or one of them did', () => {
		assert.equal(after(-5, 10, 10), null);
		assert.equal(after(200, -4_000_000, 4_000), null);
	});
});

suite('`DatastoreLatency.look`', () => {
	test('asks the device under a directory, or tries it where there is none', async t => {
		const directory = await temporaryDirectory(t);
		const { look, source } = await looked(directory);
		if (source.startsWith('device ')) assert.ok((await look())?.ms !== undefined);
		else assert.equal(source, `a write to ${directory}`);
	});

	test('tries a directory that lies on no device of its own', async t => {
		t.after(() => rm(join('/dev/shm', probe), { force: true }));
		// A tmpfs, on every Linux.
		const datastore = new DatastoreLatency('/dev/shm', join('/dev/shm', probe), systemClock);
		const { source, ms } = (await datastore.look()) ?? { source: 'nothing', ms: -1 };
		assert.equal(source, 'a write to /dev/shm');
		assert.ok(ms >= 0 && (await stat(join('/dev/shm', probe))).size === 4096);
	});
});

const probe = `rouse-latency-${process.pid}`;

async function looked(directory: string) {
	const clock = new TestClock();
	const datastore = new DatastoreLatency(directory, join(directory, probe), clock);
	const look = () => datastore.look();
	const first = await look();
	clock.ms += 10_000;
	const { ms, source } = (await look()) ?? first ?? { ms: 0, source: 'nothing' };
	return { look, ms, source };
}
