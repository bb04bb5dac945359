/** Runs programs to their end, or work of programs that run already, and tells what that took. */
import { spawn } from 'node:child_process';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { startError } from '../../system/run-tool.ts';
import { cpuSecondsOf, MemoryWatch } from './process-tree.ts';

export interface Cost {
	seconds: number;
	cpuSeconds: number;
	peakMiB: number;
}

/** Looking takes time of the processors as well: a row of memory looks more often than one of time. */
const usualLookMs = 100;

/** times(1) tells of the program and of all that it has waited for, when it has ended; and its own code stays. */
const timed = '"$@"; code=$?; times >&3; exit $code';

export interface RunOptions {
	signal: AbortSignal;
	cwd?: string;
	env?: NodeJS.ProcessEnv;
	lookMs?: number;
}

/** Throws `tool_failed`, with the end of what it said, unless it ends with 0. */
export async function runMeasured(
	[program = '', ...args]: readonly string[],
	options: RunOptions,
): Promise<Cost & { stdout: string }> {
	const { signal, cwd, env = process.env, lookMs = usualLookMs } = options;
	signal.throwIfAborted();
	const startedAt = performance.now();
	const child = spawn('sh', ['-c', timed, 'sh', program, ...args], {
		stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
		// A group of its own: all of it is ended with us.
		detached: true,
		env: { ...env, LC_ALL: 'C' },
		...(cwd === undefined ? {} : { cwd }),
	});
	const said = ['', '', '', ''];
	for (const stream of [1, 2, 3]) child.stdio[stream]?.on('data', (text: Buffer) => (said[stream] += text.toString()));
	const ended = Promise.withResolvers<number | null>();
	child.once('error', error => ended.reject(startError('sh', error, 'a shell belongs to every system')));
	child.once('close', code => ended.resolve(code));
	const { pid } = child;
	const abort = () => pid !== undefined && killGroup(pid);
	signal.addEventListener('abort', abort, { once: true });
	const watch = new MemoryWatch(pid === undefined ? [] : [pid], lookMs);
	try {
		const code = await ended.promise;
		const seconds = (performance.now() - startedAt) / 1000;
		signal.throwIfAborted();
		if (code !== 0) throw failed(program, args, code, `${said[1]}${said[2]}`);
		return { seconds, cpuSeconds: childrenSeconds(said[3] ?? ''), peakMiB: await watch.end(), stdout: said[1] ?? '' };
	} finally {
		signal.removeEventListener('abort', abort);
		await watch.end();
	}
}

/** It may have ended, and not have been told yet. */
function killGroup(pid: number): void {
	try {
		process.kill(-pid, 'SIGKILL');
	} catch (error) {
		if (!isErrno(error, 'ESRCH')) throw error;
	}
}

function failed(program: string, args: readonly string[], code: number | null, said: string): RouseError {
	const tail = said.trimEnd().split('\n').slice(-5).join('\n');
	return new RouseError('tool_failed', `${[program, ...args].join(' ')} ended with exit code ${code}: ${tail}`);
}

/** The second line of times(1): `0m1.50s 0m0.25s`. */
function childrenSeconds(text: string): number {
	const [, children = ''] = text.split('\n');
	const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
	if (times.length !== 2) throw new RouseError('tool_failed', `the shell's times are "${text}"`);
	return times.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

/** What these processes take for a piece of work that is asked of them. */
export async function measureServers<T>(
	pids: readonly number[],
	work: () => Promise<T>,
): Promise<Cost & { result: T }> {
	const before = await cpuSecondsOf(pids);
	const watch = new MemoryWatch(pids, usualLookMs);
	const startedAt = performance.now();
	try {
		const result = await work();
		const seconds = (performance.now() - startedAt) / 1000;
		const cpuSeconds = (await cpuSecondsOf(pids)) - before;
		return { result, seconds, cpuSeconds, peakMiB: await watch.end() };
	} finally {
		await watch.end();
	}
}
