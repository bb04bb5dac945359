import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { unpaced } from '../../supervisor/pace/copy-pace.ts';
import { FollowedConfig } from '../../supervisor/pace/followed-config.ts';
import type { LatencySource } from '../../supervisor/pace/latency-source.ts';
import { Pace } from '../../supervisor/pace/pace.ts';
import type { PacedRecovery } from '../../supervisor/pace/parts.ts';
import { hostViewSchema } from '../../supervisor/protocol.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { TestClock } from '../equipment/test-clock.ts';

const MiB = 1024 * 1024;
const everyMs = 10_000;

/** A recovery that copies, on a host without a config.yaml. */
async function bench(t: TestContext, look: LatencySource['look']) {
	const clock = new TestClock();
	const host = {
		installation: { home: await temporaryDirectory(t) },
		latency: { everyMs, look },
		clock,
		log: pino({ level: 'silent' }),
	};
	const pace = new Pace(host, new FollowedConfig(host));
	const migration = {
		recoveryId: '00000000-0000-4000-8000-000000000001',
		disks: [],
		copying: true,
		maxRateBytes: 0,
		writtenBytes: 0,
		failure: null,
		trouble: null,
		badChunks: [],
	};
	const copy: PacedRecovery = {
		name: 'r1',
		recoveryId: migration.recoveryId,
		state: { copy: { wanted: true, paused: false, maxRateBytes: 0 }, plan: null },
		seen: { migration },
		tombstone: undefined,
		incidents: { add: async () => undefined },
		pace: unpaced,
	};
	/** After so many bytes more, and the time of a sample; a look that answers has done so when this returns. */
	const sample = async (copiedBytes: number) => {
		migration.writtenBytes += copiedBytes;
		clock.ms += everyMs;
		await pace.look([copy]);
		await new Promise(setImmediate);
		await pace.look([copy]);
	};
	return { pace, copy, sample };
}

suite('`Pace.look`', () => {
	test('with a look at the datastore that hangs lets copies go after a minute', async t => {
		let hangs = false;
		const { copy, pace, sample } = await bench(t, async () =>
			hangs ? new Promise<undefined>(() => undefined) : { ms: 50, source: 'this test' },
		);
		await sample(0);
		await sample(1000 * MiB);
		assert.equal(copy.pace.limits[0]?.code, 'latency');
		hangs = true;
		for (let n = 0; n < 6; n += 1) await sample(20 * MiB);
		assert.equal(copy.pace.limits[0]?.code, 'latency', 'for a minute it stays as it is');
		await sample(20 * MiB);
		assert.deepEqual([copy.pace, pace.datastore?.stopsNew], [unpaced, null]);
	});

	test('tells of the datastore what who asks for the host understands, whatever the speed of copies', async t => {
		const latencies = [5, 40, 10, 10, 10, 10, 10, 10];
		let seen = 0;
		const { pace, sample } = await bench(t, async () => ({ ms: latencies[seen++] ?? 10, source: 'this test' }));
		for (let n = 0; n < latencies.length; n += 1) {
			await sample(1_000_000_007 / 3);
			assert.deepEqual(hostViewSchema.shape.datastore.parse(pace.datastore), pace.datastore);
		}
	});
});
