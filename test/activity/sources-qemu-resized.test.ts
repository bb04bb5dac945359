import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Driven } from '../equipment/machine-sources/driven.ts';
import { noise } from '../equipment/repositories.ts';
import { makeQemuSourceBench } from '../equipment/source-qemu-bench.ts';

test('a disk that was made smaller and as large again has zeros behind its shorter end, also by an increment', async t => {
	const bench = await makeQemuSourceBench();
	t.after(() => bench.dispose());
	const driven = new Driven(bench);
	// Of whole clusters: what is left of one has what it had.
	const shorterBytes = 192 * 1024;
	await bench.guest.write('vd0', 900 * 1024, noise(4096, 3));
	const { since, contents: base } = await driven.committed();
	const sizeBytes = base.get('vd0')?.length ?? 0;
	for (const size of [shorterBytes, sizeBytes])
		await bench.qemu().guest.execute('block_resize', { 'node-name': 'node-vd0', size });
	const { moment, contents } = await driven.beginWith(await driven.order(since));
	contents.get('vd0')?.fill(0, shorterBytes);
	await driven.mustRead(moment, contents, base);
	assert.equal((await driven.read(moment, 'vd0', base.get('vd0'))).reads, 'changes');
});
