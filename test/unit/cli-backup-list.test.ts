import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runProgram } from '../../cli/program.ts';
import { initRepository } from '../../repository/repository.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { importDisks, SparseSource } from '../equipment/repositories.ts';
import { sampleSourceFacts } from '../equipment/sample-source-facts.ts';

/** A repository with a point of such facts, and what commands answer about it. */
async function withPoint(t: TestContext, facts: Readonly<Record<string, unknown>>) {
	const home = await temporaryDirectory(t);
	const repository = await initRepository(join(home, 'repository'));
	await importDisks(repository, [new SparseSource(4096, [])], { facts });
	await repository.store.close();
	return async (...argv: string[]): Promise<string> => {
		let text = '';
		const stdout = { write: (part: string) => (text += part) };
		const stderr = { write: () => {} };
		const env = { ROUSE_HOME: home, ROUSE_REPO: repository.location };
		assert.equal(await runProgram({ argv: ['backup', ...argv], env, stdout, stderr, signal: t.signal }), 0);
		return text;
	};
}

test('`backup list` and `backup show` tell the source of a machine, how consistent it is, and what was assumed', async t => {
	const source = {
		...sampleSourceFacts,
		together: false,
		consistency: 'none' as const,
	};
	const told = await withPoint(t, { source });
	assert.match(await told('list'), / FIRMWARE +FROM\n.* bios +simulated, none\n/);
	const shown = await told('show', 'web01@latest');
	const lines = [
		/^Source {4}simulated:\/\/\/somewhere, machine machine-1, region eu-1$/m,
		/^Moment {4}2026-11-\d\d .*, consistency none, disks of different times$/m,
		/^left out {2}cdrom: it is read-only$/m,
		/^assumed {3}1 vCPU$/m,
	];
	for (const line of lines) assert.match(shown, line);

	const { restorePoints } = JSON.parse(await told('list', '--json'));
	assert.partialDeepStrictEqual(restorePoints, [{ kind: 'simulated', consistency: 'none' }]);
	const { kind, consistency, assumed, source: whole } = JSON.parse(await told('show', 'web01@latest', '--json'));
	assert.deepEqual([kind, consistency, assumed], ['simulated', 'none', ['cpus']]);
	const { checkpoint: _checkpoint, ...expected } = source;
	assert.deepEqual(whole, expected);
});

test('`backup list` and `backup show` of disks that were imported by themselves tell what these were', async t => {
	const told = await withPoint(t, {});
	assert.match(await told('list'), / bios +image\n/);
	assert.doesNotMatch(await told('show', 'web01@latest'), /^(Source|Moment|assumed)/m);
	const { restorePoints } = JSON.parse(await told('list', '--json'));
	assert.partialDeepStrictEqual(restorePoints, [{ kind: 'image', consistency: null }]);
	const shown = JSON.parse(await told('show', 'web01@latest', '--json'));
	assert.partialDeepStrictEqual(shown, { kind: 'image', consistency: null, source: null, assumed: [] });
});
