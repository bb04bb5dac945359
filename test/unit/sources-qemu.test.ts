import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import { parseQemuAddress } from '../../sources/qemu/address.ts';
import { recordedSince } from '../../sources/qemu/bitmaps.ts';
import { QemuDisk } from '../../sources/qemu/disk.ts';
import { RouseError } from '../../model/errors.ts';
import { writtenExtents } from '../../sources/qemu/extents.ts';
import { mustKeepRoom } from '../../sources/qemu/room.ts';
import { bitmapName, diskName, isOf, parseBitmapName } from '../../sources/qemu/names.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { collect } from '../equipment/repositories.ts';
import { serveDisk } from '../equipment/served-disk.ts';

const { signal } = new AbortController();
const owner = '6f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11/web01/0123abcd';
const owned = { tag: '0f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11', owner };

suite('`parseQemuAddress`', () => {
	test('reads socket, scratch and agent, and keeps the query to itself', () => {
		assert.deepEqual(parseQemuAddress('qemu+qmp:///run/a%20b.sock?scratch=/srv/s&guest-agent=/run/ga+1'), {
			uri: 'qemu+qmp:///run/a%20b.sock',
			monitor: '/run/a b.sock',
			scratch: '/srv/s',
			agent: '/run/ga+1',
		});
		assert.deepEqual(parseQemuAddress('qemu+qmp:///run/q').scratch, undefined);
	});

	for (const wrong of [
		'qemu+qmp://host/run/q',
		'qemu+qmp:///',
		'qemu+qmp:run',
		'qemu+qmp:///run/q#1',
		'qemu+qmp:///run/q?scratch=here',
		'qemu+qmp:///run/q?scratch=',
		'qemu+qmp:///run/q?user=x',
		'qemu+qmp:///run/%E0%A4',
		'qemu+qmp:///run/q%00',
	])
		test(`refuses ${wrong}`, () => {
			assert.throws(() => parseQemuAddress(wrong), { code: 'config_invalid', hint: /qemu\+qmp:\/\/\/MONITOR/ });
		});
});

suite('names in QEMU', () => {
	test('a bitmap has all that tells whose it is, whatever its disk is called, within 1023 bytes', () => {
		fc.assert(
			fc.property(fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }), key => {
				fc.pre(key.length <= 200);
				const mark = { ...owned, set: randomUUID(), role: 'copy' as const, key };
				const name = bitmapName(mark);
				assert.ok(Buffer.byteLength(name) <= 1023);
				assert.deepEqual(parseBitmapName(name), mark);
			}),
		);
	});

	test('what somebody else calls so is not ours', () => {
		const name = bitmapName({ ...owned, set: randomUUID(), role: 'new', key: 'vd0' });
		for (const other of ['', 'rouse', 'backup-1', name.replace('rouse', 'mouse'), name.replace('@new@', '@old@')])
			assert.equal(parseBitmapName(other), undefined);
	});

	test('nodes fit into 31 characters, and belong to one tag and owner', () => {
		const name = diskName(owned, 63);
		assert.ok(name.length <= 31 && /^[a-z][a-z0-9-]+$/.test(name));
		assert.ok(isOf(owned, name));
		assert.ok(!isOf({ ...owned, tag: randomUUID() }, name));
		assert.ok(!isOf({ ...owned, owner: owner.replace('web01', 'web02') }, name));
	});
});

suite('`recordedSince`', () => {
	const set = randomUUID();
	const since = { tag: owned.tag, checkpoint: { set } };
	const name = bitmapName({ ...owned, set, role: 'new', key: 'vd0' });
	const bitmap = { name, count: 0, recording: true, busy: false, inconsistent: false };
	const disk = {
		key: 'vd0',
		device: '/machine/peripheral/vd0',
		removable: false,
		node: 'node',
		readOnly: false,
		sizeBytes: 1024,
		directory: '/srv',
		isCopied: false,
		keepsBitmaps: true,
		bitmaps: [bitmap],
	};

	test('finds what has recorded since the checkpoint', () => {
		assert.deepEqual(recordedSince(disk, since), { name });
	});

	for (const [what, other, why] of [
		['of the disk in whose place this one is now', { ...disk, key: 'vd1' }, /is gone/],
		['that was in use when QEMU was killed', { ...disk, bitmaps: [{ ...bitmap, inconsistent: true }] }, /was killed/],
		['that somebody has disabled', { ...disk, bitmaps: [{ ...bitmap, recording: false }] }, /no more/],
		['that somebody uses', { ...disk, bitmaps: [{ ...bitmap, busy: true }] }, /uses its bitmap/],
		['behind a job that copies', { ...disk, isCopied: true }, /being read/],
		[
			'of another begin',
			{ ...disk, bitmaps: [{ ...bitmap, name: bitmapName({ ...owned, set: randomUUID(), role: 'new', key: 'vd0' }) }] },
			/is gone/,
		],
	] as const)
		test(`relies on no bitmap ${what}`, () => {
			const recorded = recordedSince(other, since);
			assert.ok('why' in recorded);
			assert.match(recorded.why, why);
		});
});

/** Lengths and kinds of a disk's parts, as extents. */
function laidOut<K>(parts: readonly { length: number; kind: K }[]) {
	let offsetBytes = 0;
	return parts.map(({ length, kind }) => {
		const part = { offsetBytes, lengthBytes: length, kind };
		offsetBytes += length;
		return part;
	});
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
	yield* values;
}

test('`writtenExtents` is what was written or is zeros, and unchanged elsewhere, however both are cut', async () => {
	const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });
	await fc.assert(
		fc.asyncProperty(cuts, cuts, async (one, other) => {
			const total = Math.min(sum(one), sum(other));
			const kinds: readonly SourceExtent['kind'][] = ['data', 'zero'];
			const extents = laidOut(upTo(one, total).map((length, n) => ({ length, kind: kinds[n % 2] ?? 'data' })));
			const written = laidOut(upTo(other, total).map((length, n) => ({ length, kind: n % 2 === 0 })));
			const parts = written.map(({ kind, ...part }) => ({ ...part, isWritten: kind }));
			const found = await collect(writtenExtents(each(extents), each(parts)));
			const at = <K>(all: readonly { offsetBytes: number; lengthBytes: number; kind: K }[], byte: number) =>
				all
					.filter(part => byte >= part.offsetBytes && byte < part.offsetBytes + part.lengthBytes)
					.map(part => part.kind);
			for (let byte = 0; byte < total; byte++) {
				const kind = at(extents, byte);
				assert.deepEqual(at(found, byte), at(written, byte)[0] || kind[0] === 'zero' ? kind : ['unchanged']);
			}
			assert.equal(sum(found.map(({ lengthBytes }) => lengthBytes)), total);
		}),
	);
});

function sum(values: readonly number[]): number {
	return values.reduce((all, value) => all + value, 0);
}

function upTo(lengths: readonly number[], total: number): number[] {
	let left = total;
	return lengths.flatMap(length => {
		const taken = Math.min(length, left);
		left -= taken;
		return taken === 0 ? [] : taken;
	});
}

test('a moment is ended before what QEMU keeps for it fills its file system, and is lost', async t => {
	const { socket } = await serveDisk(t, Buffer.alloc(65_536, 7));
	let isShort = false;
	let ended = 0;
	const disk = {
		socket,
		exportName: 'disk0',
		bitmap: undefined,
		room: { isShort: async () => isShort },
		isStanding: async () => true,
		end: async () => {
			if (++ended === 1) throw new RouseError('source_busy', 'another step is at the monitor');
		},
	};
	const opened = await QemuDisk.open(disk, signal);
	t.after(() => opened.close());
	await opened.read(0, Buffer.alloc(512), signal);
	isShort = true;
	await waitFor('the moment to be ended, though nobody reads', async () => ended === 2, { timeoutMs: 10_000 });
	await assert.rejects(opened.read(512, Buffer.alloc(512), signal), { code: 'moment_lost', hint: /scratch=/ });
});

test('a moment that nobody reads is lost when what QEMU keeps for it has hardly any room left', async () => {
	const sizes = [2 ** 40, 2 ** 20];
	const scratch = (freeBytes: number) => ({ freeBytes: async () => freeBytes });
	await mustKeepRoom(scratch(256 * 2 ** 20), sizes);
	await assert.rejects(mustKeepRoom(scratch(256 * 2 ** 20 - 1), sizes), { code: 'moment_lost', hint: /scratch=/ });
});

test('a disk whose bitmap the server does not tell is checkpoint_lost, and a socket that is gone the moment', async t => {
	const { socket } = await serveDisk(t, Buffer.alloc(65_536, 7));
	const disk = {
		socket,
		exportName: 'disk0',
		bitmap: 'none',
		room: { isShort: async () => false },
		isStanding: async () => false,
		end: async () => {},
	};
	const opened = await QemuDisk.open(disk, signal);
	t.after(() => opened.close());
	await assert.rejects(collect(opened.extents(signal)), { code: 'checkpoint_lost' });
	const nowhere = join(await temporaryDirectory(t), 'nothing');
	await assert.rejects(QemuDisk.open({ ...disk, socket: nowhere }, signal), { code: 'moment_lost' });
});
