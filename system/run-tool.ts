import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isErrno } from './durable-file.ts';

export interface ToolRun {
	/** Undefined: the program is not there. */
	exitCode: number | undefined;
	/** Its last lines, of both streams: what a person needs when it failed. */
	tail: string[];
}

interface ToolOptions {
	cwd?: string | undefined;
	env?: NodeJS.ProcessEnv | undefined;
	signal?: AbortSignal | undefined;
	onLine?: (line: string) => void;
}

const tailLines = 15;

/** Runs a program to its end with nothing on its standard input. Throws only when `signal` is aborted. */
export async function runTool(command: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolRun> {
	const child = spawn(command, args, {
		stdio: ['ignore', 'pipe', 'pipe'],
		...(options.cwd ? { cwd: options.cwd } : {}),
		...(options.env ? { env: options.env } : {}),
		...(options.signal ? { signal: options.signal } : {}),
	});
	const tail: string[] = [];
	for (const stream of [child.stdout, child.stderr])
		createInterface({ input: stream }).on('line', line => {
			tail.push(line);
			if (tail.length > tailLines) tail.shift();
			options.onLine?.(line);
		});
	return new Promise((resolve, reject) => {
		child.once('error', error => {
			if (options.signal?.aborted) reject(error);
			else if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')) resolve({ exitCode: undefined, tail });
			else reject(error);
		});
		child.once('close', (code, signal) => {
			if (signal !== null) tail.push(`ended by ${signal}`);
			resolve({ exitCode: code ?? 1, tail });
		});
	});
}

/** `1.29.1` and the like as numbers; what follows the digits and dots is not looked at. */
export function atLeast(version: string, least: string): boolean {
	const have = version.split('.').map(Number);
	for (const [place, wanted] of least.split('.').map(Number).entries()) {
		const found = have[place] ?? 0;
		if (found !== wanted) return found > wanted;
	}
	return true;
}
