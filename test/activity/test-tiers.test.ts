import assert from 'node:assert/strict';
import { readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Output } from '../../cli/terminal/output.ts';
import { runTier } from '../../cli/test-tiers.ts';
import { isRoot } from '../../hypervisors/qemu/confinement.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

/** Each waits for the other: the number of a network that is gone is given again. */
const file = (other: string) => `
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
const { ROUSE_TEST_NETWORK = 'nothing' } = process.env;
writeFileSync(process.argv[1] + '.seen', readlinkSync('/proc/self/ns/net') + ' ' + ROUSE_TEST_NETWORK);
while (!existsSync(${JSON.stringify(`${other}.seen`)})) await setTimeout(10);
`;

/** Who is not root could only make one by becoming another user. */
if (isRoot())
	test('`runTier` gives each file of the tier server a network of its own, and what it starts nothing to make one with', async t => {
		const directory = await temporaryDirectory(t);
		const [a, b] = ['a', 'b'].map(name => join(directory, `${name}.test.mjs`));
		assert.ok(a && b);
		const files = [a, b];
		await writeFile(a, file(b));
		await writeFile(b, file(a));
		const { NODE_TEST_CONTEXT: _runner, ...env } = process.env;
		const nowhere = { write: () => true };
		const output = new Output({ stdout: nowhere, stderr: nowhere, json: true, quiet: true, debug: false });
		const { passed } = await runTier('server', files, { env, output, signal: t.signal, exitWith: () => {} });
		assert.equal(passed, true);
		const seen = await Promise.all(files.map(path => readFile(`${path}.seen`, 'utf8')));
		const networks = seen.map(line => line.split(' ')[0]);
		assert.equal(new Set([...networks, await readlink('/proc/self/ns/net')]).size, 3, networks.join());
		assert.ok(seen.every(line => line.endsWith(' nothing')));
	});
