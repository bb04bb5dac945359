import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LayoutExport } from '../../movers/mount-mover/layout/layout-export.ts';
import { openPrivateFile, type PrivateFile } from '../../movers/mount-mover/layout/private-file.ts';
import type { Segment } from '../../movers/mount-mover/layout/segments.ts';
import { NBD_ERROR, NBD_STATE } from '../../nbd/protocol/constants.ts';
import { systemClock } from '../../system/clock.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { layoutBlockStatus, layoutFlush, layoutRead, layoutWrite } from '../equipment/layout-calls.ts';
import { LateExport } from '../equipment/late-export.ts';

const fileBytes = 64 * 1024;
const diskBytes = 96 * 1024 + 333;
/** Content with zeros in it, which a disk tells of by 4 KiB. */
const content = (seed: number, size: number) => {
	const bytes = Buffer.alloc(size, `content ${seed} `);
	for (let at = seed * 4096; at < size; at += 3 * 4096) bytes.fill(0, at, Math.min(size, at + 4096));
	return bytes;
};

const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 20_000 }));
interface Wanted {
	kind: Segment['kind'];
	size: number;
	of: number;
	at: number;
}
const someSegment: fc.Arbitrary<Wanted> = fc.record({
	kind: fc.constantFrom('bytes', 'zeroes', 'file', 'disk'),
	size,
	of: fc.nat(1),
	at: fc.nat(),
});
interface Call {
	what: 'read' | 'status' | 'write' | 'flush';
	at: number;
	length: number;
	durable: boolean;
	single: boolean;
}
const someCall: fc.Arbitrary<Call> = fc.record({
	what: fc.constantFrom('read', 'status', 'write', 'flush'),
	at: fc.nat(),
	length: size,
	durable: fc.boolean(),
	single: fc.boolean(),
});

interface Modelled {
	segments: Segment[];
	/** What the layout must read as. */
	flat: Buffer;
	/** Where each byte may be written. */
	writable: Buffer;
}

/** File segments lie one behind the other in their file, so that each of its bytes is in the layout once. */
function modelled(wanted: readonly Wanted[], files: PrivateFile[], disks: LateExport[]) {
	const taken = files.map(() => 0);
	const model: Modelled = { segments: [], flat: Buffer.alloc(0), writable: Buffer.alloc(0) };
	const add = (one: Segment, bytes: Buffer, writable = 0) => {
		model.segments.push(one);
		model.flat = Buffer.concat([model.flat, bytes]);
		model.writable = Buffer.concat([model.writable, Buffer.alloc(bytes.length, writable)]);
	};
	for (const { kind, size: sizeBytes, of, at } of wanted) {
		const disk = disks[of];
		const file = files[of];
		const inFile = taken[of] ?? 0;
		if (kind === 'bytes') add({ kind, bytes: content(9, sizeBytes) }, content(9, sizeBytes));
		else if (kind === 'disk' && disk) {
			const offsetBytes = at % (disk.sizeBytes - sizeBytes);
			add({ kind, disk, offsetBytes, sizeBytes }, disk.bytes.subarray(offsetBytes, offsetBytes + sizeBytes));
		} else if (kind === 'file' && file && inFile + sizeBytes <= fileBytes) {
			taken[of] = inFile + sizeBytes;
			add(
				{ kind, file, offsetBytes: inFile, sizeBytes },
				content(of, fileBytes).subarray(inFile, inFile + sizeBytes),
				1,
			);
		} else add({ kind: 'zeroes', sizeBytes }, Buffer.alloc(sizeBytes));
	}
	return model;
}

async function perform(
	layout: LayoutExport,
	{ flat, writable }: Omit<Modelled, 'segments'>,
	call: Call,
): Promise<void> {
	const { what, durable, single } = call;
	const offset = call.at % flat.length;
	const length = Math.min(call.length, flat.length - offset);
	const { writer } = layout;
	if (what === 'read')
		assert.ok((await layoutRead(layout, offset, length)).equals(flat.subarray(offset, offset + length)));
	else if (what === 'status') {
		const extents = await layoutBlockStatus(layout, { offset, length, single });
		const told = extents.reduce((sum, extent) => sum + extent.length, 0);
		assert.ok(told > 0 && told <= length && (!single || extents.length === 1));
		let position = offset;
		for (const extent of extents) {
			const zero = flat.subarray(position, position + extent.length).every(byte => byte === 0);
			assert.ok((extent.flags & NBD_STATE.ZERO) === 0 || zero, `${extent.length} at ${position} are not zeros`);
			position += extent.length;
		}
	} else if (what === 'write' && writer) {
		const bytes = Buffer.alloc(length, `written at ${offset} `);
		const failure = await layoutWrite(writer, offset, Buffer.from(bytes), durable);
		const allowed = !writable.subarray(offset, offset + length).includes(0);
		assert.equal(failure?.errno, allowed ? undefined : NBD_ERROR.EPERM);
		if (allowed) bytes.copy(flat, offset);
	} else if (writer) assert.equal(await layoutFlush(writer), undefined);
}

test('`LayoutExport` reads, tells and writes as a flat model of its segments, and writes nothing outside of private files', async t => {
	const directory = await temporaryDirectory(t);
	const disks = [5, 6].map(
		seed => new LateExport(`disk${seed}`, content(seed, diskBytes), { from: 30_000, to: 60_000 }),
	);
	const originals = disks.map(disk => Buffer.from(disk.bytes));
	const paths = [join(directory, 'one'), join(directory, 'other')];
	await fc.assert(
		fc.asyncProperty(
			fc.array(someSegment, { minLength: 1, maxLength: 12 }),
			fc.array(someCall, { maxLength: 40 }),
			async (wanted, calls) => {
				const files: PrivateFile[] = [];
				for (const [of, path] of paths.entries()) {
					const file = await open(path, 'w');
					await file.writeFile(content(of, fileBytes));
					await file.close();
					files.push(await openPrivateFile(path, systemClock));
				}
				const { segments, flat, writable } = modelled(wanted, files, disks);
				const layout = new LayoutExport({ name: 'layout', description: '', segments });
				assert.equal(layout.sizeBytes, flat.length);
				assert.equal(layout.writer !== undefined, writable.includes(1));
				for (const one of calls) await perform(layout, { flat, writable }, one);
				assert.ok((await layoutRead(layout, 0, flat.length)).equals(flat));
				for (const file of files) await file.close();
			},
		),
		{ numRuns: 80 },
	);
	assert.deepEqual(
		disks.map(({ bytes }) => bytes),
		originals,
	);
});
