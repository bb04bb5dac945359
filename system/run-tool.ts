import { type ChildProcess, spawn } from 'node:child_process';
import { RouseError } from '../model/errors.ts';
import { isErrno } from './durable-file.ts';

export interface ToolRun {
	code: number;
	/** Its beginning; what our tools say above the limit only repeats itself. */
	stdout: string;
	stderr: string;
	/** The last lines of both, as they came: what a person needs when it failed. */
	tail: readonly string[];
}

export interface ToolOptions {
	/** What the person does when it is not installed, as the command that installs it. */
	hint: string;
	/** It is killed when it says nothing for so long; absent: it may take as long as it takes. */
	silenceMs?: number | undefined;
	/** It is killed when it has not ended after so long, whatever it says. */
	wholeMs?: number | undefined;
	/** Open files that it inherits, as its descriptors from 3 on. */
	files?: readonly number[] | undefined;
	/** Kills it; what is thrown then is the signal's reason. */
	signal?: AbortSignal | undefined;
	/** Its environment instead of ours. */
	env?: NodeJS.ProcessEnv | undefined;
	cwd?: string | undefined;
	/** Called with each line of both streams. */
	onLine?: ((line: string) => void) | undefined;
}

/** Of each stream, in characters. */
const keptLength = 4 * 1024 * 1024;
const tailLines = 15;
/** What is longer is cut in pieces: a line that never ends must not fill the memory. */
const lineLength = 4096;

/**
 * Runs a program to its end, without standard input and in the C locale, and gives what it said, whatever its exit code.
 * It has ended when this returns or throws.
 *
 * Throws `tool_missing` when it is not installed, `timeout` when it was killed for its silence or length, and `tool_failed` when
 * it could not be started for another reason or somebody else killed it.
 */
export async function runTool(program: string, args: readonly string[], options: ToolOptions): Promise<ToolRun> {
	const { signal, silenceMs, wholeMs, env = process.env, cwd } = options;
	signal?.throwIfAborted();
	const child = spawn(program, args, {
		stdio: ['ignore', 'pipe', 'pipe', ...(options.files ?? [])],
		// A process group of its own: Ctrl-C on a terminal goes to us alone, and we end all that it started.
		detached: true,
		env: { ...env, LC_ALL: 'C' },
		...(cwd === undefined ? {} : { cwd }),
	});
	let late: string | undefined;
	const endLate = (why: string) => {
		late = why;
		kill(child);
	};
	const silence = after(silenceMs, () => endLate(`nothing heard for ${silenceMs} ms`));
	const whole = after(wholeMs, () => endLate(`not ended after ${wholeMs} ms`));
	const abort = () => kill(child);
	signal?.addEventListener('abort', abort, { once: true });
	const kept = { stdout: '', stderr: '' };
	const lines = new Lines(options.onLine);
	for (const name of ['stdout', 'stderr'] as const)
		child[name]?.setEncoding('utf8').on('data', (text: string) => {
			silence?.refresh();
			kept[name] += text.slice(0, keptLength - kept[name].length);
			lines.add(name, text);
		});
	try {
		const [code, killedBy] = await endOf(child);
		signal?.throwIfAborted();
		lines.end();
		if (late !== undefined) throw new RouseError('timeout', `${program} ${args[0] ?? ''}: ${late}`);
		if (code === null)
			throw new RouseError('tool_failed', `${program} was ended by ${killedBy}: ${lines.tail.join(' ')}`);
		return { code, ...kept, tail: lines.tail };
	} catch (error) {
		signal?.throwIfAborted();
		throw error instanceof RouseError ? error : startError(program, error, options.hint);
	} finally {
		clearTimeout(silence);
		clearTimeout(whole);
		signal?.removeEventListener('abort', abort);
	}
}

/** Why a program could not be started, as an error for people. */
export function startError(program: string, cause: unknown, hint: string): RouseError {
	// Looking through PATH ends with EACCES instead of ENOENT when a directory of it may not be entered: execvp(3).
	if (isErrno(cause, 'ENOENT') || isErrno(cause, 'EACCES'))
		return new RouseError('tool_missing', `${program} is not installed`, { hint, cause });
	const why = cause instanceof Error ? cause.message : String(cause);
	return new RouseError('tool_failed', `${program} could not be started: ${why}`, { cause });
}

function after(delayMs: number | undefined, then: () => void): NodeJS.Timeout | undefined {
	return delayMs === undefined ? undefined : setTimeout(then, delayMs);
}

function endOf(child: ChildProcess): Promise<[code: number | null, killedBy: NodeJS.Signals | null]> {
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, killedBy) => resolve([code, killedBy]));
	});
}

/** The program and what it started. One that left the group could keep the pipes open for ever: they are let go. */
function kill(child: ChildProcess): void {
	child.stdout?.destroy();
	child.stderr?.destroy();
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, 'SIGKILL');
	} catch (error) {
		if (!isErrno(error, 'ESRCH')) throw error; // it ended meanwhile
	}
}

/** The lines of two streams, in the order of their ends. */
class Lines {
	readonly tail: string[] = [];
	readonly #onLine: ((line: string) => void) | undefined;
	readonly #open = { stdout: '', stderr: '' };

	constructor(onLine: ((line: string) => void) | undefined) {
		this.#onLine = onLine;
	}

	add(stream: 'stdout' | 'stderr', text: string): void {
		// A lone return is how progress is written over the line before.
		const lines = (this.#open[stream] + text).split(/[\r\n]+/);
		const open = lines.at(-1) ?? '';
		this.#open[stream] = open.length < lineLength ? (lines.pop() ?? '') : '';
		for (const line of lines) this.#say(line);
	}

	end(): void {
		this.#say(this.#open.stdout);
		this.#say(this.#open.stderr);
	}

	#say(line: string): void {
		if (line === '') return;
		this.tail.push(line);
		if (this.tail.length > tailLines) this.tail.shift();
		this.#onLine?.(line);
	}
}
