import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { composeDisk } from '../../sources/ssh/compose/disk.ts';
import { fillGaps, type Part, partsWithin, zeros } from '../../sources/ssh/compose/parts.ts';
import { composePhysical } from '../../sources/ssh/compose/physical-volume.ts';

const mib = 2 ** 20;

const told = (parts: readonly Part[]) =>
	parts.map(({ offsetBytes, lengthBytes, from }) => [
		offsetBytes,
		lengthBytes,
		from.kind === 'device' ? `${from.path}@${from.atBytes}${from.live ? ' live' : ''}` : from.kind,
	]);

suite('a disk that is composed', () => {
	test('its table and its gaps are read as they lie there, but for the middle of what was never given to anything', () => {
		const parts = composeDisk({
			path: '/dev/sda',
			sizeBytes: 1000 * mib,
			partitions: [
				{ startBytes: mib, lengthBytes: 100 * mib, content: { kind: 'live' } },
				{ startBytes: 102 * mib, lengthBytes: 8 * mib, content: { kind: 'swap', headerBytes: 4096 } },
			],
		});
		assert.deepEqual(told(parts), [
			[0, 102 * mib + 4096, '/dev/sda@0 live'],
			[102 * mib + 4096, 8 * mib - 4096, 'zero'],
			[110 * mib, 2 * mib, `/dev/sda@${110 * mib} live`],
			[112 * mib, 886 * mib, 'zero'],
			[998 * mib, 2 * mib, `/dev/sda@${998 * mib} live`],
		]);
	});

	test('extents of a physical volume are those of the snapshots, and zeros where no volume is', () => {
		const group = {
			name: 'vg',
			id: 'g',
			seqno: 1,
			extentBytes: mib,
			members: [{ id: 'A', startBytes: mib, extents: 8 }],
			volumes: [
				{
					name: 'root',
					extents: 5,
					segments: [
						{ fromExtent: 0, extents: 3, memberId: 'A', memberExtent: 4 },
						{ fromExtent: 3, extents: 1, memberId: 'B', memberExtent: 0 },
						{ fromExtent: 4, extents: 1, memberId: 'A', memberExtent: 0 },
					],
				},
			],
		};
		const volumes = new Map([['root', { path: '/dev/mapper/snap', lengthBytes: 5 * mib, live: false }]]);
		const plan = { sizeBytes: 10 * mib, id: 'A', areas: [], group, volumes };
		assert.deepEqual(told(composePhysical(plan, { path: '/dev/sda', atBytes: 7 * mib })), [
			[0, mib, `/dev/sda@${7 * mib} live`],
			[mib, mib, `/dev/mapper/snap@${4 * mib}`],
			[2 * mib, 3 * mib, 'zero'],
			[5 * mib, 3 * mib, '/dev/mapper/snap@0'],
			[8 * mib, mib, 'zero'],
			[9 * mib, mib, `/dev/sda@${16 * mib} live`],
		]);
	});

	test('parts that overlap, or lie outside, are refused', () => {
		const part = (offsetBytes: number, lengthBytes: number): Part => ({ offsetBytes, lengthBytes, from: zeros });
		const fill = (...parts: Part[]) => fillGaps(100, parts, (offsetBytes, length) => [part(offsetBytes, length)]);
		assert.deepEqual(fill(part(50, 10), part(10, 20)).length, 5);
		for (const parts of [[part(0, 20), part(19, 5)], [part(90, 11)], [part(-1, 5)]])
			assert.throws(() => fill(...parts), { code: 'source_invalid' });
	});

	test('what lies in a range is cut at its ends, with its bytes and places', () => {
		const bytes = Buffer.from('0123456789');
		const parts: Part[] = [
			{ offsetBytes: 0, lengthBytes: 10, from: { kind: 'bytes', bytes } },
			{ offsetBytes: 10, lengthBytes: 10, from: { kind: 'device', path: '/dev/x', atBytes: 100, live: false } },
			{ offsetBytes: 20, lengthBytes: 10, from: zeros },
		];
		assert.deepEqual(partsWithin(parts, 8, 14), [
			{ offsetBytes: 8, lengthBytes: 2, from: { kind: 'bytes', bytes: Buffer.from('89') } },
			{ offsetBytes: 10, lengthBytes: 10, from: { kind: 'device', path: '/dev/x', atBytes: 100, live: false } },
			{ offsetBytes: 20, lengthBytes: 2, from: zeros },
		]);
		assert.deepEqual(told(partsWithin(parts, 13, 4)), [[13, 4, '/dev/x@103']]);
		assert.deepEqual(partsWithin(parts, 30, 0), []);
	});
});
