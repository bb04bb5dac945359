/** `rouse bench`: that both sides of every row can be run and give the same bytes. What it measures is for a quiet machine. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { benchDocumentSchema, benchRowNames } from '../../model/bench.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';

describe('rouse bench', () => {
	it('--quick --json runs every row, whose sides give the same bytes, and leaves nothing behind', async t => {
		const directory = await temporaryDirectory(t);
		const home = join(directory, 'home');
		const { ended } = startRouse(t, home, ['bench', '--quick', '--json', '--directory', directory]);
		const { exitCode, stdout, stderr } = await ended;
		assert.equal(exitCode, 0, stderr);
		const { quick, results } = benchDocumentSchema.parse(JSON.parse(stdout));
		assert.equal(quick, true);
		assert.deepEqual(
			results.map(({ row }) => row),
			[...benchRowNames],
		);
		for (const { row, peer, ours, theirs, ratio } of results) {
			assert.ok(ours.value.median > 0, row);
			assert.equal(theirs === null, peer === null, row);
			if (theirs) assert.ok(theirs.value.median > 0 && ratio !== null && ratio.median > 0, row);
		}
		assert.deepEqual(await readdir(directory), []);
	});

	it('without a peer ends with tool_missing and its package before it begins', async t => {
		const directory = await temporaryDirectory(t);
		const args = ['bench', 'export', '--json', '--directory', directory];
		const { exitCode, stderr } = await startRouse(t, join(directory, 'home'), args, { PATH: '/nonexistent' }).ended;
		assert.equal(exitCode, 4);
		assert.match(stderr, /"code":"tool_missing","message":"missing: .*restic.*apt-get install .*restic/);
		assert.deepEqual(await readdir(directory), []);
	});
});
