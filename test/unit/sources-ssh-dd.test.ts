import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import type { FarRun, FarSide } from '../../sources/ssh/far/far-side.ts';
import { DdRanges } from '../../sources/ssh/dd-ranges.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const mib = 2 ** 20;

/** A device, as dd would read it; `short`: so much less comes; `cached`: what was read once is read again until the cache is emptied. */
function far(bytes: Buffer, { short = 0, code = 0, cached = false } = {}): FarSide & { reads: number[] } {
	const reads: number[] = [];
	let cache = Buffer.from(bytes);
	return {
		name: 'root@far',
		reads,
		run: async (script, [, skip = '0', count = '0']): Promise<FarRun> => {
			if (script.includes('--getsize64'))
				return { code: 0, stdout: Buffer.from(`${bytes.length}\n${cached ? 'cached' : 'direct'}\n`), said: '' };
			if (!cached || script.includes('[ -n "$4" ] || blockdev --flushbufs')) cache = Buffer.from(bytes);
			const at = Number(skip) * mib;
			reads.push(Number(count));
			const stdout = cache.subarray(at, at + Number(count) * mib);
			return { code, stdout: Buffer.from(stdout.subarray(0, stdout.length - short)), said: 'dd: no' };
		},
		start: () => assert.fail('nothing is started'),
	};
}

suite('reads by dd', () => {
	test('ranges come as they lie there, in few sessions when one follows the other', async () => {
		const bytes = noise(70 * mib + 512, 3);
		const there = far(bytes);
		const ranges = new DdRanges(there);
		assert.equal(await ranges.sizeOf('/dev/sda', signal), bytes.length);
		for (let at = 0; at < bytes.length; at += mib) {
			const into = Buffer.alloc(Math.min(mib, bytes.length - at));
			await ranges.read('/dev/sda', at, into, signal);
			assert.ok(into.equals(bytes.subarray(at, at + into.length)), `at ${at}`);
		}
		assert.deepEqual(there.reads, [1, 32, 32, 32]);
	});

	for (const cached of [false, true])
		test(`digests are of what lies there now, whatever was read before${cached ? ', also where the system has it in its cache' : ''}`, async () => {
			const bytes = noise(3 * mib, 4);
			const ranges = new DdRanges(far(bytes, { cached }));
			await ranges.read('/dev/sda', 0, Buffer.alloc(3 * mib), signal);
			bytes.fill(7, mib, mib + 5);
			const range = { atBytes: mib - 512, lengthBytes: 2048, firstBytes: 512, unitBytes: 1024 };
			const parts = [
				bytes.subarray(mib - 512, mib),
				bytes.subarray(mib, mib + 1024),
				bytes.subarray(mib + 1024, mib + 1536),
			];
			assert.deepEqual(
				await ranges.digests('/dev/sda', range, signal),
				parts.map(part => createHash('sha256').update(part).digest()),
			);
		});

	test('what is read ahead is kept of a few places alone, however many devices there are', async () => {
		const there = far(noise(2 * mib, 6));
		const ranges = new DdRanges(there);
		const read = (device: number) => ranges.read(`/dev/dm-${device}`, 0, Buffer.alloc(512), signal);
		for (const device of [0, 1, 2, 3]) await read(device);
		await read(3);
		assert.equal(there.reads.length, 4, 'the last one is at hand');
		await read(0);
		assert.equal(there.reads.length, 5, 'the first one is not kept for ever');
	});

	test('a stream that ends early with 0, and one that fails, are no disk', async () => {
		const read = (there: FarSide) => new DdRanges(there).read('/dev/sda', 0, Buffer.alloc(mib), signal);
		await assert.rejects(read(far(noise(2 * mib, 5), { short: 1 })), { code: 'source_unreachable' });
		await assert.rejects(read(far(noise(2 * mib, 5), { code: 1 })), { code: 'source_invalid' });
		await assert.rejects(read(far(noise(mib - 1, 5))), { code: 'source_invalid' });
	});
});
