import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { processStartTicks } from '../../system/process-lock.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const hint = 'apt-get install something';
const shell = (script: string, options: Partial<Parameters<typeof runTool>[2]> = {}) =>
	runTool('sh', ['-c', script], { hint, ...options });

/** A script that says its pid and that of a child of its own, ignores SIGTERM, and then is silent for ever. */
const stubborn = (pids: string) => `trap '' TERM; sleep 1000 & echo $$ $! >${pids}.new; mv ${pids}.new ${pids}; wait`;

async function pidsIn(path: string): Promise<number[]> {
	const text = await waitFor('the pids', () => readFile(path, 'utf8').catch(() => undefined), { timeoutMs: 20_000 });
	return text.trim().split(' ').map(Number);
}

async function assertGone(pids: readonly number[]): Promise<void> {
	assert.equal(pids.length, 2);
	for (const pid of pids)
		await waitFor(`${pid} to end`, async () => (await processStartTicks(pid)) === undefined, { timeoutMs: 20_000 });
}

describe('`runTool`', () => {
	it('gives exit code, both streams and their last lines, of a program that fails too', async () => {
		const run = await shell('echo one; echo two >&2; printf three; exit 7');
		assert.deepEqual([run.code, run.stdout, run.stderr], [7, 'one\nthree', 'two\n']);
		assert.deepEqual(run.tail.toSorted(), ['one', 'three', 'two']);
	});

	it('hands each line to `onLine` and keeps the last ones', async () => {
		const lines: string[] = [];
		const { tail } = await shell('seq 1 100; printf "10%%\\r20%%\\r"', { onLine: line => lines.push(line) });
		assert.equal(lines.length, 102);
		assert.deepEqual(lines.slice(-3), ['100', '10%', '20%']);
		assert.deepEqual(tail, lines.slice(-15));
	});

	it('runs in the C locale whatever the environment says, and in `cwd`', async () => {
		const env = { ...process.env, LC_ALL: 'de_DE.UTF-8', OWN: 'own' };
		assert.equal((await shell('echo $LC_ALL $OWN; pwd', { env, cwd: '/usr' })).stdout, 'C own\n/usr\n');
	});

	it('keeps the first 4 MiB of what a program says, and pieces of a line without an end', async () => {
		let longest = 0;
		const onLine = (line: string) => (longest = Math.max(longest, line.length));
		const run = await shell("head -c 6000000 /dev/zero | tr '\\0' x; echo; echo end", { onLine });
		assert.equal(run.code, 0);
		assert.equal(run.stdout.length, 4 * 1024 * 1024);
		assert.equal(run.tail.at(-1), 'end');
		assert.ok(longest <= 128 * 1024, `a line of ${longest} characters`);
	});

	it('kills a silent program, with what it started, and throws `timeout`', async t => {
		const pids = join(await temporaryDirectory(t), 'pids');
		await assert.rejects(shell(stubborn(pids), { silenceMs: 3000 }), { code: 'timeout', message: /3000 ms/ });
		await assertGone(await pidsIn(pids));
	});

	it('lets a program that keeps talking take longer than `silenceMs`', async () => {
		const talking = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.2; done';
		assert.equal((await shell(talking, { silenceMs: 2000 })).code, 0);
	});

	it('kills the program, with what it started, on abort, and throws the reason', async t => {
		const pids = join(await temporaryDirectory(t), 'pids');
		const abort = new AbortController();
		const run = shell(stubborn(pids), { signal: abort.signal });
		const started = await pidsIn(pids);
		const reason = new Error('enough');
		abort.abort(reason);
		await assert.rejects(run, error => error === reason);
		await assertGone(started);
	});

	it('does not start a program when it is aborted already', async () => {
		await assert.rejects(shell('exit 0', { signal: AbortSignal.abort(new Error('before')) }), /before/);
	});

	it('does not wait for a program that left the group and holds the streams, once it is silent', async t => {
		const pid = (directory: string) => join(directory, 'pid');
		const directory = await temporaryDirectory(t, async place =>
			process.kill(Number(await readFile(pid(place), 'utf8')), 'SIGKILL'),
		);
		const away = `setsid sh -c 'echo $$ >${pid(directory)}; exec sleep 1000' & wait`;
		await assert.rejects(shell(away, { silenceMs: 3000 }), { code: 'timeout' });
	});

	it('throws `tool_missing` with the hint of the caller for a program that is not there or may not be run', async () => {
		for (const program of ['rouse-no-such-program', '/etc/passwd'])
			await assert.rejects(runTool(program, [], { hint }), { code: 'tool_missing', hint });
	});

	it('throws `tool_failed` with its last words for a program that somebody else killed', async () => {
		await assert.rejects(shell('echo last words >&2; kill -SEGV $$'), {
			code: 'tool_failed',
			message: /SIGSEGV: last words/,
		});
	});
});
