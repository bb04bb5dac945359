/** Of a VHDX that QEMU reads its tables tell the holes (sources/image.ts): both must mean the same. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import { VhdxLayer } from '../equipment/vhdx-layer.ts';

const mebibyte = 2 ** 20;
const { signal } = new AbortController();

test('blocks of a VHDX that were given back are zeros to its tables and to QEMU, whatever their places still have', async t => {
	const path = join(await temporaryDirectory(t), 'disk.vhdx');
	const sizeBytes = 5 * mebibyte;
	const layer = new VhdxLayer(new Random(1), { sizeBytes, blockBytes: mebibyte, sectorBytes: 512 });
	layer.write(0, Buffer.alloc(4 * mebibyte, 'data'));
	for (const state of [1, 2, 3]) layer.discard(state, state);
	await layer.save(path);
	const source = await openSource(path, { signal });
	t.after(() => source.close());
	const kinds: string[] = [];
	for await (const { kind, lengthBytes } of source.extents(signal)) kinds.push(`${kind} ${lengthBytes / mebibyte}`);
	assert.deepEqual(kinds, ['data 1', 'zero 1', 'zero 1', 'zero 1', 'zero 1']);
	const whole = Buffer.alloc(sizeBytes, 1);
	await source.read(0, whole, signal);
	assert.ok(whole.equals(Buffer.concat([Buffer.alloc(mebibyte, 'data')], sizeBytes)));
});
