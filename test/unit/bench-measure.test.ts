import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { measureServers, runMeasured } from '../../bench/peers/measure.ts';
import { cpuSecondsOf, pssMiB } from '../../bench/peers/process-tree.ts';
import { waitFor } from '../../system/wait.ts';

const { signal } = new AbortController();
/** Works in a process that it has started itself. */
const busy = (ms: number) => {
	const work = `const until = process.cpuUsage().user + ${ms} * 1000; while (process.cpuUsage().user < until);`;
	return ['sh', '-c', '"$0" -e "$1"; exit 0', process.execPath, work];
};

/** The group of processes whose number is written there first. */
async function hasEnded(file: string): Promise<boolean> {
	const [group = ''] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
	try {
		return group !== '' && !process.kill(-Number(group), 0);
	} catch {
		return true;
	}
}

describe('runMeasured', () => {
	it('counts the processor time of what the program has started, and tells what it said', async () => {
		const { seconds, cpuSeconds, stdout } = await runMeasured(busy(200), { signal });
		assert.ok(cpuSeconds >= 0.2 && seconds >= 0.2, `${cpuSeconds} s, ${seconds} s`);
		assert.equal(stdout, '');
		assert.equal((await runMeasured(['echo', 'a b'], { signal })).stdout, 'a b\n');
	});

	it('sees the memory of what the program has started', async () => {
		const script = 'const kept = Buffer.alloc(100 * 2 ** 20, 1); setTimeout(() => kept, 1000)';
		const argv = ['sh', '-c', '"$0" -e "$1"; exit 0', process.execPath, script];
		const { peakMiB } = await runMeasured(argv, { signal, lookMs: 10 });
		assert.ok(peakMiB > 100, `${peakMiB} MiB`);
	});

	it('fails with what the program said last', async () => {
		const failing = runMeasured(['sh', '-c', 'echo no such thing >&2; exit 3'], { signal });
		await assert.rejects(failing, { code: 'tool_failed', message: /exit code 3: no such thing/ });
		await assert.rejects(runMeasured(['/nonexistent'], { signal }), { code: 'tool_failed', message: /exit code 127/ });
	});

	it('ends the program and what it has started when it is aborted', async () => {
		const abort = new AbortController();
		const waiting = runMeasured(['sh', '-c', 'sleep 600; exit 0'], { signal: abort.signal });
		abort.abort(new Error('enough'));
		await assert.rejects(waiting, /enough/);
	});

	it('is aborted as well when the program has ended, though what it has left still has its output', async t => {
		const abort = new AbortController();
		const directory = await mkdtemp(join(tmpdir(), 'rouse-measure-'));
		t.after(() => rm(directory, { recursive: true }));
		const file = join(directory, 'group');
		const script = 'setsid sleep 600 & echo $PPID $! >"$1"';
		const waiting = assert.rejects(runMeasured(['sh', '-c', script, 'sh', file], { signal: abort.signal }), /enough/);
		await waitFor('the program to end', async () => await hasEnded(file), { timeoutMs: 10_000 });
		abort.abort(new Error('enough'));
		const [, left] = (await readFile(file, 'utf8')).split(' ');
		process.kill(Number(left), 'SIGKILL');
		await waiting;
	});
});

describe('measureServers', () => {
	it('counts what processes took for the work, and not before', async () => {
		const before = await cpuSecondsOf([process.pid]);
		const { cpuSeconds, result } = await measureServers([process.pid], async () => {
			const until = process.cpuUsage().user + 100_000;
			while (process.cpuUsage().user < until);
			return 'done';
		});
		assert.equal(result, 'done');
		// proc(5) counts by 10 ms.
		assert.ok(cpuSeconds >= 0.08, `${cpuSeconds} s`);
		assert.ok(cpuSeconds <= (await cpuSecondsOf([process.pid])) - before + 1e-6);
		assert.ok((await pssMiB([process.pid])) > 10);
	});
});
