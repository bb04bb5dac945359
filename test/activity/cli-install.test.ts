import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, stat, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { install } from '../../cli/install/install.ts';
import { buildProgram } from '../../cli/program.ts';
import { Output } from '../../cli/terminal/output.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const silent = { write: () => {} };
const output = new Output({ stdout: silent, stderr: silent, json: false, quiet: true, debug: false });
const { signal } = new AbortController();
const program = await buildProgram({ output, env: {}, signal, exitWith: () => {} }, undefined);

const frame = { version: '1.2.3', date: '2026-11-20' };
const into = (prefix: string) => install({ prefix, launcher: '/opt/checkout/rouse', program, frame });

async function installed(t: TestContext) {
	const prefix = join(await temporaryDirectory(t), 'local');
	return { prefix, ...(await into(prefix)) };
}

test('`rouse install` leads to the checkout, and everybody may read what it made', async t => {
	const { prefix, command, completions, manPage } = await installed(t);
	assert.equal(await readlink(command), '/opt/checkout/rouse');
	for (const path of [...completions, manPage, join(prefix, 'bin'), prefix])
		assert.equal((await stat(path)).mode & 0o044, 0o044, path);
	await into(prefix);
});

test('`rouse install` leaves what leads elsewhere, and says where', async t => {
	const prefix = await temporaryDirectory(t);
	await mkdir(join(prefix, 'bin'));
	await symlink('/opt/other/rouse', join(prefix, 'bin', 'rouse'));
	const refused = { code: 'name_conflict', message: /leads to \/opt\/other\/rouse/ };
	await assert.rejects(into(prefix), refused);
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

/** Zsh as a person has it: a terminal, its line editor, and what it is about to offer, which is written down. */
class Zsh {
	readonly #child: ChildProcessWithoutNullStreams;
	readonly #directory: string;
	#asked = 0;

	static async start(t: TestContext, functions: string): Promise<Zsh> {
		const directory = await temporaryDirectory(t);
		const setup = [
			`cd ${directory}`,
			`fpath=(${functions} $fpath)`,
			'autoload -Uz compinit && compinit -D -u',
			'compadd() { local -a hits; builtin compadd -O hits "$@"; print -rl -- $hits >>offered; builtin compadd "$@"; }',
			'answer() { : >"answer-$BUFFER"; BUFFER=; }',
			'zle -N answer',
			"bindkey '^I' complete-word '^T' answer",
			'zle-line-init() { : >ready }',
			'zle -N zle-line-init',
		];
		await writeFile(join(directory, 'setup'), setup.join('\n'));
		// script(1) of util-linux gives it a terminal.
		const child = spawn('script', ['-qec', 'zsh -f -i', '/dev/null'], {
			cwd: directory,
			env: { PATH: process.env['PATH'], HOME: directory, TERM: 'vt100', LC_ALL: 'C' },
		});
		t.after(() => child.kill('SIGKILL'));
		child.stdout.resume();
		child.stdin.write('source ./setup\n');
		const zsh = new Zsh(child, directory);
		await zsh.#appears('ready');
		return zsh;
	}

	private constructor(child: ChildProcessWithoutNullStreams, directory: string) {
		this.#child = child;
		this.#directory = directory;
	}

	/** What the Tab key offers there, without files. */
	async offered(line: string): Promise<string[]> {
		const last = `end${this.#asked++}`;
		await rm(join(this.#directory, 'offered'), { force: true });
		this.#child.stdin.write(`${line}\t \u0015${last}\u0014`); // Ctrl-U clears the line
		await this.#appears(`answer-${last}`);
		const text = await readFile(join(this.#directory, 'offered'), 'utf8');
		return [...new Set(text.split('\n'))].filter(word => word !== '');
	}

	async #appears(name: string): Promise<void> {
		const there = () => existsSync(join(this.#directory, name));
		await waitFor(`zsh to make ${name}`, async () => there(), { timeoutMs: 30_000, everyMs: 20 });
	}
}

test('the completion for zsh offers verbs and options of the command that is being written', async t => {
	const [, zsh = ''] = (await installed(t)).completions;
	const shell = await Zsh.start(t, dirname(zsh));
	assert.deepEqual(await shell.offered('rouse rec'), ['recover']);
	assert.deepEqual(await shell.offered('rouse --json recover sw'), ['switch']);
	assert.deepEqual(await shell.offered('rouse recover start web01@latest --ma'), ['--machine-name', '--max-rate']);
	assert.deepEqual(await shell.offered('rouse recover start --name host --for'), ['--forward']);
});

test('each command has a manual page that man(1) has nothing to say of', async t => {
	const { manPage } = await installed(t);
	const manual = dirname(manPage);
	const pages = await readdir(manual);
	for (const name of ['rouse.1', 'rouse-recover.1', 'rouse-recover-start.1']) assert.ok(pages.includes(name), name);
	const env = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' };
	const shown = async (...args: string[]) => promisify(execFile)('man', args, { env });
	const paths = pages.map(name => join(manual, name));
	assert.equal((await shown('--warnings', '-E', 'UTF-8', '-l', '-Tutf8', ...paths)).stderr, '');
	const { stdout } = await shown('-l', '-Tascii', '-P', 'cat', join(manual, 'rouse-recover-start.1'));
	const text = stdout.replaceAll(/.[\b]/g, '');
	assert.match(text, /^NAME\n {7}rouse-recover-start - /m);
	assert.match(text, /^ {7}--new-mac\n {14}new MAC addresses, when the original may still be alive$/m);
	assert.match(text, /^SEE ALSO\n {7}rouse-recover\(1\)$/m);
});

test('`rouse install` removes pages of commands that are no more, and leaves what it has not made', async t => {
	const { prefix, manPage } = await installed(t);
	const [old, other] = ['rouse-old.1', 'rouse-mine.1'].map(name => join(dirname(manPage), name));
	await writeFile(old ?? '', await readFile(manPage));
	await writeFile(other ?? '', '.TH ROUSE-MINE 1\n');
	await into(prefix);
	const pages = await readdir(dirname(manPage));
	assert.deepEqual([pages.includes('rouse-old.1'), pages.includes('rouse-mine.1')], [false, true]);
});
