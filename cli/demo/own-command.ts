import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';

/**
 * Runs this very command line in a process of its own, as a person would, and gives what it answered with `--json`.
 * For long work that is the last line.
 */
export class OwnCommand {
	readonly #env: NodeJS.ProcessEnv;
	readonly #signal: AbortSignal;

	constructor(env: NodeJS.ProcessEnv, signal: AbortSignal) {
		this.#env = env;
		this.#signal = signal;
	}

	async run<S extends z.ZodType>(schema: S, ...args: string[]): Promise<z.output<S>> {
		const { exitCode, stdout, stderr } = await this.#spawn([...args, '--json']);
		if (exitCode !== 0)
			throw new RouseError('internal', `rouse ${args.join(' ')} ended with exit code ${exitCode}: ${stderr.trim()}`);
		const last = stdout.trimEnd().split('\n').at(-1) ?? '';
		return schema.parse(JSON.parse(last));
	}

	/** The same for people to read. */
	async text(...args: string[]): Promise<string> {
		const { exitCode, stdout, stderr } = await this.#spawn(args);
		if (exitCode !== 0)
			throw new RouseError('internal', `rouse ${args.join(' ')} ended with exit code ${exitCode}: ${stderr.trim()}`);
		return stdout.trimEnd();
	}

	#spawn(args: readonly string[]): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
		return new Promise((resolve, reject) => {
			const child = spawn(process.execPath, [join(checkoutDirectory, 'cli', 'main.ts'), ...args], {
				env: this.#env,
				stdio: ['ignore', 'pipe', 'pipe'],
				signal: this.#signal,
			});
			const said = { stdout: '', stderr: '' };
			child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
			child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
			child.once('error', reject);
			child.once('close', exitCode => resolve({ exitCode, ...said }));
		});
	}
}
