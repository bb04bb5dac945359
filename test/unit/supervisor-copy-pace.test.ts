import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { configSchema } from '../../system/installation.ts';
import { paceOf, paces } from '../../supervisor/pace/copy-pace.ts';
import { equalShares } from '../../supervisor/pace/equal-shares.ts';

const MiB = 1024 * 1024;
const config = (host: object, limits = {}) =>
	configSchema.parse({ repositories: { main: '/backup' }, limits: { main: limits }, host });
const copy = (maxRateBytes = 0) => ({ state: { copy: { wanted: true, paused: false, maxRateBytes }, plan: null } });
const throttled = { bytesPerSecond: 10 * MiB, beforeBytesPerSecond: 80 * MiB, ms: 41.3, limitMs: 30 };

suite('`equalShares`', () => {
	test('gives each the same, and what one does not want to the others', () => {
		assert.deepEqual(equalShares(90, [0, 0, 0]), [30, 30, 30]);
		assert.deepEqual(equalShares(90, [0, 10, 0]), [40, 10, 40]);
		assert.deepEqual(equalShares(90, [20, 100, 25]), [20, 45, 25]);
		assert.deepEqual(equalShares(0, [0, 10]), [0, 10]);
	});

	test('gives out no more than there is, and all of it that is wanted', () => {
		fc.assert(
			fc.property(fc.integer({ min: 100, max: 1e9 }), fc.array(fc.nat(1e9), { minLength: 1 }), (total, own) => {
				const shares = equalShares(total, own);
				const sum = shares.reduce((all, one) => all + one, 0);
				const wanted = own.reduce((all, one) => all + (one === 0 ? Number.POSITIVE_INFINITY : one), 0);
				assert.ok(sum <= Math.max(total, own.length) && sum >= Math.min(total, wanted) - own.length);
				shares.forEach((share, at) => assert.ok(share >= 1 && (own[at] === 0 || share <= (own[at] ?? 0))));
			}),
		);
	});
});

suite('`paces`', () => {
	test('of a host without limits is what was asked for', () => {
		const [free, asked] = [copy(), copy(5 * MiB)];
		const all = paces({ latency: null, config: config({}) }, [free, asked]);
		assert.deepEqual(all.get(free), { maxRateBytes: 0, limits: [] });
		assert.equal(all.get(asked)?.maxRateBytes, 5 * MiB);
	});

	test('shares the lowest limit for all copies, and says which one it is', () => {
		const [one, asked] = [copy(), copy(2 * MiB)];
		const host = config({ copyBytesPerSecond: '20 MiB/s' });
		const free = paces({ latency: null, config: host }, [one, asked]);
		assert.deepEqual([free.get(one)?.maxRateBytes, free.get(one)?.limits[0]?.code], [18 * MiB, 'host']);
		assert.deepEqual([free.get(asked)?.maxRateBytes, free.get(asked)?.limits[0]?.code], [2 * MiB, 'request']);
		const slow = paces({ latency: throttled, config: host }, [one, asked]).get(one);
		assert.equal(slow?.maxRateBytes, 8 * MiB);
		assert.deepEqual(slow?.limits, [
			{
				code: 'latency',
				bytesPerSecond: 8 * MiB,
				reason: 'the datastore was at 41 ms, above 30 ms: guests come first, shared by 2 copies',
			},
		]);
		const lower = paces({ latency: throttled, config: config({ copyBytesPerSecond: 4 * MiB }) }, [one]).get(one);
		assert.deepEqual([lower?.maxRateBytes, lower?.limits[0]?.code], [4 * MiB, 'host']);
	});

	test('of one that may begin is a share as if it copied', () => {
		const host = { latency: null, config: config({ copyBytesPerSecond: '20MiB' }) };
		assert.equal(paceOf(host, [copy()], copy()).maxRateBytes, 10 * MiB);
	});
});

test('`configSchema` takes rates with and without a unit, and limits of latency that make sense', () => {
	const read = (text: unknown) => config({}, { readBytesPerSecond: text }).limits['main']?.readBytesPerSecond;
	assert.deepEqual(['200 MiB/s', '200MiB', '512K', 4096].map(read), [200 * MiB, 200 * MiB, 512 * 1024, 4096]);
	for (const wrong of ['fast', '0', 0, '1.5 MiB/s', '200 miles']) assert.throws(() => read(wrong));
	assert.deepEqual(config({}).host.latency, { stopNewMs: 20, throttleMs: 30 });
	assert.deepEqual(config({ latency: { stopNewMs: 5 } }).host.latency, { stopNewMs: 5, throttleMs: 30 });
	assert.equal(config({ latency: 'off' }).host.latency, 'off');
	assert.throws(() => config({ latency: { stopNewMs: 40 } }), /stopNewMs/);
});
