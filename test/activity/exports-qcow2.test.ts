import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportQcow2 } from '../../exports/qcow2.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { openRepository } from '../../repository/repository.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

test('an export as qcow2 from a store that goes away fails by its error instead of waiting, and leaves nothing', async t => {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(9 * 2 ** 20));
	const repository = await openRepository(stored.directory);
	t.after(() => repository.store.close());
	const whole = new DirectChunkSource(repository.store);
	let left = 3;
	let closed = false;
	const source: ChunkSource = {
		async *fetch(refs, options) {
			for await (const chunk of whole.fetch(refs, options)) {
				if (left-- <= 0) throw new RouseError('store_unreachable', 'the store is away');
				yield chunk;
			}
		},
		async close() {
			closed = true;
			await whole.close();
		},
	};
	const out = join(directory, 'out');
	await mkdir(out);
	await assert.rejects(exportQcow2(source, stored.image, join(out, 'disk.qcow2')), {
		code: 'store_unreachable',
		message: 'the store is away',
	});
	assert.deepEqual(await readdir(out), []);
	assert.ok(closed);
});
