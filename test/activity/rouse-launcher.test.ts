import assert from 'node:assert/strict';
import { execFile, type ExecFileException } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { checkoutDirectory } from '../../system/checkout.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

interface Checkout {
	root: string;
	/** How often npm ci ran here. */
	installations: () => Promise<number>;
	run: (...args: string[]) => Promise<Run>;
	runAs: (command: string, ...args: string[]) => Promise<Run>;
}

interface Run {
	exitCode: number;
	stdout: string;
	stderr: string;
}

/** A checkout with the real launcher, a program that prints its arguments, and an npm that only counts. */
async function checkout(t: TestContext, { node = true }: { node?: boolean } = {}): Promise<Checkout> {
	const directory = await temporaryDirectory(t);
	const root = join(directory, 'a checkout');
	const bin = join(directory, 'bin');
	const cache = join(directory, 'cache');
	await mkdir(join(root, 'cli'), { recursive: true });
	await mkdir(bin);
	await copyFile(join(checkoutDirectory, 'rouse'), join(root, 'rouse'));
	await writeFile(join(root, 'package-lock.json'), '{}');
	await writeFile(join(root, 'cli', 'main.ts'), 'console.log(JSON.stringify(process.argv.slice(2)));');
	await program(
		join(bin, 'npm'),
		'case $1 in ci) echo x >>"$PWD/../ran"; mkdir -p node_modules; echo installed;; *) exit 1;; esac',
	);
	if (node) await symlink(process.execPath, join(bin, 'node'));
	const env = { HOME: directory, XDG_CACHE_HOME: cache, PATH: `${bin}:${await tools(directory)}` };
	const runAs = (command: string, ...args: string[]) => runProgram(command, args, env);
	return {
		root,
		installations: async () => (await readFile(join(directory, 'ran'), 'utf8').catch(() => '')).length / 2,
		run: (...args) => runAs(join(root, 'rouse'), ...args),
		runAs,
	};
}

/** The system's programs without its Node, npm and ways to the network. */
async function tools(directory: string): Promise<string> {
	const path = join(directory, 'tools');
	await mkdir(path);
	const names = [
		'sh',
		'cat',
		'ls',
		'mkdir',
		'mktemp',
		'mv',
		'rm',
		'sha256sum',
		'flock',
		'dirname',
		'readlink',
		'tr',
		'uname',
		'tar',
	];
	for (const name of names) await symlink(`/usr/bin/${name}`, join(path, name));
	return path;
}

async function program(path: string, script: string): Promise<void> {
	await writeFile(path, `#!/bin/sh\n${script}\n`);
	await chmod(path, 0o755);
}

function runProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
	return new Promise(resolve => {
		execFile(command, args, { env }, (error: ExecFileException | null, stdout, stderr) => {
			resolve({ exitCode: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
		});
	});
}

describe('rouse', () => {
	it('installs what the lock file names, once, and then says nothing but what its program says', async t => {
		const { run, installations } = await checkout(t);
		const first = await run('a b', '--c');
		const second = await run('a b', '--c');
		assert.deepEqual([first.exitCode, first.stdout], [0, '["a b","--c"]\n']);
		assert.match(first.stderr, /npm ci/);
		assert.deepEqual(second, { exitCode: 0, stdout: '["a b","--c"]\n', stderr: '' });
		assert.equal(await installations(), 1);
	});

	it('installs again when the lock file has changed', async t => {
		const { root, run, installations } = await checkout(t);
		await run();
		await writeFile(join(root, 'package-lock.json'), '{ }');
		await run();
		assert.equal(await installations(), 2);
	});

	it('installs once when it is started twice at the same time', async t => {
		const { run, installations } = await checkout(t);
		const both = await Promise.all([run(), run()]);
		assert.deepEqual(
			both.map(({ exitCode }) => exitCode),
			[0, 0],
		);
		assert.equal(await installations(), 1);
	});

	it('does not touch node_modules under a process of its checkout, and says which', async t => {
		const { root, run, installations } = await checkout(t);
		await run();
		await mkdir(join(root, 'supervisor'));
		await writeFile(join(root, 'supervisor', 'main.ts'), 'console.log("up"); setInterval(() => {}, 1000);');
		const service = captive(t, process.execPath, [join(root, 'supervisor', 'main.ts')]);
		await waitFor('the service to run', () => service.said().includes('up'), { timeoutMs: 10_000 });
		await writeFile(join(root, 'package-lock.json'), '{ }');
		const { exitCode, stderr } = await run();
		assert.equal(exitCode, 6);
		assert.match(stderr, new RegExp(`in use \\(pid ${service.child.pid}\\)`));
		assert.equal(await installations(), 1);
	});

	it('starts its program with the umask 077, and gives node_modules to everybody', async t => {
		const { root, run } = await checkout(t);
		await writeFile(join(root, 'cli', 'main.ts'), 'console.log(process.umask().toString(8));');
		assert.equal((await run()).stdout, '77\n');
		for (const name of ['node_modules', 'node_modules/.rouse-installed'])
			assert.equal((await stat(join(root, name))).mode & 0o444, 0o444, name);
	});

	it('runs nothing out of a cache that others may write', async t => {
		const { run, root } = await checkout(t);
		const cache = join(root, '..', 'cache', 'rouse');
		await mkdir(cache, { recursive: true });
		for (const mode of [0o775, 0o757]) {
			await chmod(cache, mode);
			const { exitCode, stderr } = await run();
			assert.equal(exitCode, 2, stderr);
			assert.match(stderr, /may be written by others\nlook what is in it, then: chmod go-w/);
		}
		await chmod(cache, 0o755);
		assert.equal((await run()).exitCode, 0);
	});

	it('tells its program how it was called', async t => {
		const { root, runAs } = await checkout(t);
		await writeFile(join(root, 'cli', 'main.ts'), 'console.log(process.env.ROUSE_COMMAND);');
		assert.equal((await runAs('sh', '-c', 'cd "$0" && ./rouse', root)).stdout, './rouse\n');
		assert.equal((await runAs('sh', '-c', 'PATH=$0:$PATH; rouse', root)).stdout, 'rouse\n');
	});

	it('finds its checkout through symbolic links', async t => {
		const { root, runAs } = await checkout(t);
		await symlink('rouse', join(root, 'second'));
		await symlink(join(root, 'second'), join(dirname(root), 'first'));
		assert.equal((await runAs(join(dirname(root), 'first'), 'x')).stdout, '["x"]\n');
	});

	it('touches nothing when it has no place for what it fetches', async t => {
		const { run, root } = await checkout(t, { node: false });
		const bin = join(root, '..', 'bin');
		await program(join(bin, 'mktemp'), 'exit 1');
		await program(join(bin, 'rm'), 'echo "$@" >>"$HOME/removed"');
		const { exitCode, stderr } = await run();
		assert.equal(exitCode, 4, stderr);
		assert.deepEqual(await readFile(join(root, '..', 'removed'), 'utf8').catch(() => 'nothing'), 'nothing');
	});

	it('says so when the cache cannot be written', async t => {
		const { run, root } = await checkout(t, { node: false });
		await writeFile(join(root, '..', 'cache'), 'a file, and no directory');
		const { exitCode, stderr } = await run();
		assert.equal(exitCode, 4, stderr);
		assert.match(stderr, /error: Node 24 or newer is needed/);
	});

	it('does not unpack a Node that is not the pinned one, wherever it comes from', async t => {
		const { run, root } = await checkout(t, { node: false });
		const bin = join(root, '..', 'bin');
		const made = join(root, '..', 'made');
		await mkdir(join(made, 'package', 'bin'), { recursive: true });
		await program(join(made, 'package', 'bin', 'node'), 'echo x >>"$HOME/ran"; echo v24.21.0');
		await promisify(execFile)('tar', ['-czf', join(made, 'node.tgz'), '-C', made, 'package']);
		// What stands in for npm is asked: pack --silent --pack-destination DIRECTORY node-PLATFORM@VERSION.
		const name = '$(echo "$5" | tr @ -).tgz';
		await program(join(bin, 'npm'), `echo npm >>"$HOME/asked"; cat "$HOME/made/node.tgz" >"$4/${name}"`);
		const curl = 'while [ "$1" != -o ]; do shift; done; echo curl >>"$HOME/asked"; cat "$HOME/made/node.tgz" >"$2"';
		await program(join(bin, 'curl'), curl);
		const { exitCode, stderr } = await run();
		assert.equal(exitCode, 4, stderr);
		assert.match(stderr, /Node from npm has the SHA-256 [0-9a-f]{64}, .*not used\n.*\n.*Node from archive has/);
		assert.equal(await readFile(join(root, '..', 'asked'), 'utf8'), 'npm\ncurl\n');
		assert.equal(await readFile(join(root, '..', 'ran'), 'utf8').catch(() => 'not run'), 'not run');
		assert.deepEqual(await readdir(join(root, '..', 'cache', 'rouse', 'node')), ['.lock']);
	});

	it('without Node and without a way to it says what to install, and leaves nothing half done', async t => {
		const { run, root } = await checkout(t, { node: false });
		const { exitCode, stdout, stderr } = await run();
		assert.deepEqual([exitCode, stdout], [4, '']);
		assert.match(stderr, /error: Node 24 or newer is needed/);
		assert.match(stderr, /nodejs\.org/);
		assert.deepEqual(await readdir(join(root, '..', 'cache', 'rouse', 'node')), ['.lock']);
	});
});
