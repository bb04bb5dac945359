import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checksText } from '../../cli/doctor/checks-text.ts';
import { runProgram } from '../../cli/program.ts';
import { initRepository } from '../../repository/repository.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { importDisks, SparseSource } from '../equipment/repositories.ts';

const columns = 60;

/** What a terminal of 60 columns is told. */
async function told(home: string, ...argv: string[]): Promise<string[]> {
	let text = '';
	const stdout = { isTTY: true, columns, write: (part: string) => (text += part) };
	const stderr = { write: () => {} };
	const { signal } = new AbortController();
	assert.equal(await runProgram({ argv, env: { ROUSE_HOME: home }, stdout, stderr, signal }), 0);
	return text.trim().split('\n');
}

test('`repo list` and `backup list` fit the terminal', async t => {
	const home = await temporaryDirectory(t);
	const directory = join(home, 'a-directory-with-a-long-name', 'in-which-there-is-another', 'repository');
	await mkdir(join(directory, '..'), { recursive: true });
	const repository = await initRepository(directory);
	const machine = 'a-machine-with-a-rather-long-name';
	await importDisks(repository, [new SparseSource(4096, [])], { machine });
	await repository.store.close();
	await writeFile(join(home, 'config.yaml'), `repositories: {main: ${directory}}\n`);
	for (const asking of ['repo', 'backup']) {
		const lines = await told(home, asking, 'list');
		assert.equal(Math.max(...lines.map(line => line.length)), columns, lines.join('\n'));
	}
});

test('`checksText` fits the terminal, and tells a problem whole that has no room in the table', () => {
	const check = {
		version: '7.2',
		purpose: 'runs the machines, and is long to tell',
		ok: true,
		problem: null,
		fix: null,
	};
	const problem = 'it is not installed, or not where programs are looked for';
	const bad = { ...check, name: 'qemu-img', ok: false, problem, fix: 'apt-get install qemu-utils' };
	const checks = [{ ...check, name: 'qemu-system-x86_64' }, bad];
	const [table = '', whole, mending] = checksText(checks, columns).split('\n\n');
	assert.equal(Math.max(...table.split('\n').map(line => line.length)), columns);
	assert.equal(whole, `qemu-img: ${problem}`);
	assert.match(mending ?? '', /^To mend it.*\n {2}apt-get install qemu-utils$/);
	assert.equal(checksText(checks, undefined).split('\n\n').length, 2, 'without a terminal it is in the table');
});
