import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readlink, stat, symlink, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { install } from '../../cli/install/install.ts';
import { buildProgram } from '../../cli/program.ts';
import { Output } from '../../cli/terminal/output.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const silent = { write: () => {} };
const output = new Output({ stdout: silent, stderr: silent, json: false, quiet: true, debug: false });
const { signal } = new AbortController();
const program = await buildProgram({ output, env: {}, signal, exitWith: () => {} }, undefined);

async function installed(t: TestContext) {
	const prefix = join(await temporaryDirectory(t), 'local');
	return { prefix, ...(await install(prefix, '/opt/checkout/rouse', program)) };
}

test('`rouse install` leads to the checkout, and everybody may read what it made', async t => {
	const { prefix, command, completions } = await installed(t);
	assert.equal(await readlink(command), '/opt/checkout/rouse');
	for (const path of [...completions, join(prefix, 'bin'), prefix])
		assert.equal((await stat(path)).mode & 0o044, 0o044, path);
	await install(prefix, '/opt/checkout/rouse', program);
});

test('`rouse install` leaves what leads elsewhere, and says where', async t => {
	const prefix = await temporaryDirectory(t);
	await mkdir(join(prefix, 'bin'));
	await symlink('/opt/other/rouse', join(prefix, 'bin', 'rouse'));
	const refused = { code: 'name_conflict', message: /leads to \/opt\/other\/rouse/ };
	await assert.rejects(install(prefix, '/opt/checkout/rouse', program), refused);
	assert.equal(await readlink(join(prefix, 'bin', 'rouse')), '/opt/other/rouse');
});

test('the completion for bash offers verbs and options of the command that is being written', async t => {
	const [bash = ''] = (await installed(t)).completions;
	const offered = async (...words: string[]) => {
		const quoted = words.map(word => `'${word}'`).join(' ');
		const script = `source '${bash}'; COMP_WORDS=(rouse ${quoted}); COMP_CWORD=${words.length}; _rouse; echo "\${COMPREPLY[*]}"`;
		return (await promisify(execFile)('bash', ['-euc', script])).stdout.trim();
	};
	assert.equal(await offered('rec'), 'recover');
	assert.equal(await offered('--json', 'recover', 'sw'), 'switch');
	assert.equal(await offered('recover', 'start', 'web01@latest', '--ma'), '--machine-name --max-rate');
	assert.equal(await offered('recover', 'start', '--name', 'host', '--for'), '--forward');
});

test('the completion for zsh knows the same commands', async t => {
	const [, zsh = ''] = (await installed(t)).completions;
	const text = await readFile(zsh, 'utf8');
	assert.match(text, /^#compdef rouse\n/);
	assert.match(text, /^' recover start'\) known=\(.*--machine-name.*\) ;;$/m);
});
