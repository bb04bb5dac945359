import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { RouseError } from '../../model/errors.ts';
import type { ImportProgress } from '../../model/import-view.ts';
import { isErrno } from '../../system/durable-file.ts';
import { jsonOf } from '../../system/json-of.ts';
import { stepEnvironment, stepNodeOptions } from '../../system/node-options.ts';
import { answersDescriptor, answerSchema, type Call } from './calls.ts';

export interface ChildOptions {
	/** Within this it says something, or it is killed: a platform or a file system hangs. */
	silenceMs: number;
	/** Its environment instead of ours. */
	env?: NodeJS.ProcessEnv | undefined;
	/** Told of its process id, for tests that kill it. */
	onStart?: ((pid: number) => void) | undefined;
}

/** A process that was killed and has not ended by then hangs in the kernel, with a file system as a rule. */
const hangsMs = 5_000;

const program = fileURLToPath(new URL('main.ts', import.meta.url));

/**
 * Has one step taken by a process of its own: what hangs, swells or dies there is not ours. When the signal is aborted it is killed,
 * wherever it is; the next attempt goes on from what is durable. Throws what the step throws, the signal's reason, and
 * `import_failed` when the process ends without an answer.
 */
export async function askChild(
	call: Call,
	{ silenceMs, env = process.env, onStart }: ChildOptions,
	{ signal, onProgress = () => {} }: { signal: AbortSignal; onProgress?: (progress: ImportProgress) => void },
): Promise<unknown> {
	signal.throwIfAborted();
	// A session of its own: what a terminal sends to us (Ctrl-C) is ours to answer; the child ends with its input. What libraries
	// print is nothing to anybody, and may be a secret: answers have a pipe of their own.
	const child = spawn(process.execPath, [...stepNodeOptions, program], {
		stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
		detached: true,
		env: { ...env, ...stepEnvironment },
	});
	const { promise, resolve, reject } = Promise.withResolvers<unknown>();
	// Without a process for want of descriptors it has no pipes either; 'error' tells.
	const answers = child.pid === undefined ? undefined : child.stdio[answersDescriptor];
	const silence = setTimeout(() => reject(silent(call, silenceMs)), silenceMs);
	const onAbort = () => reject(signal.reason);
	signal.addEventListener('abort', onAbort, { once: true });
	child.once('error', error => reject(ended(call, error.message)));
	child.once('close', (code, by) => reject(ended(call, String(by ?? code))));
	try {
		if (answers instanceof Readable) {
			answers.on('error', () => undefined); // its end says it
			createInterface({ input: answers }).on('line', line => {
				silence.refresh();
				take(line, { resolve, reject, onProgress });
			});
		}
		if (child.pid !== undefined) onStart?.(child.pid);
		child.stdin?.on('error', () => undefined); // its end says it
		child.stdin?.write(`${JSON.stringify(call)}\n`);
		return await promise;
	} finally {
		clearTimeout(silence);
		signal.removeEventListener('abort', onAbort);
		// Also one that has answered: it waits for the end of its input.
		child.stdin?.destroy();
		answers?.destroy();
		await endOf(child);
	}
}

/** What it has under way is over when this returns, unless it hangs in the kernel. */
async function endOf(child: ChildProcess): Promise<void> {
	if (child.pid === undefined) return;
	const hasEnded = child.exitCode !== null || child.signalCode !== null;
	const end = hasEnded ? undefined : once(child, 'exit', { signal: AbortSignal.timeout(hangsMs) });
	killGroup(child.pid);
	await end?.catch(() => undefined); // the limit
	child.unref();
}

/** With what it has started: a program that it runs would go on without it, and keep what it holds on a platform. */
function killGroup(pid: number): void {
	try {
		process.kill(-pid, 'SIGKILL');
	} catch (error) {
		if (!isErrno(error, 'ESRCH')) throw error; // it ended meanwhile
	}
}

function take(
	line: string,
	to: {
		resolve: (result: unknown) => void;
		reject: (error: unknown) => void;
		onProgress: (progress: ImportProgress) => void;
	},
): void {
	const answer = answerSchema.safeParse(jsonOf(line)).data;
	// What else it was may be anything, and is not to be told.
	if (answer === undefined) to.reject(new RouseError('protocol', 'the process of an import says what is no answer'));
	else if ('waits' in answer) return;
	else if ('progress' in answer) to.onProgress(answer.progress);
	else if ('error' in answer) to.reject(RouseError.fromDocument(answer.error));
	else to.resolve(answer.result);
}

function ended({ do: step }: Call, how: string): RouseError {
	return new RouseError('import_failed', `the process that took the step ${step} ended: ${how}`);
}

function silent({ do: step, places }: Call, silenceMs: number): RouseError {
	const minutes = Math.round(silenceMs / 60_000);
	return new RouseError('timeout', `${step}: nothing moved for ${minutes} minutes`, {
		hint: `look whether ${places.repository} and the platform of ${places.source} answer`,
	});
}
