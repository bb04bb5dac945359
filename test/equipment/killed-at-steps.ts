import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('killed-child.ts', import.meta.url));

export interface Call {
	/** The module's file, from this folder. */
	module: string;
	name: string;
	args: readonly unknown[];
}

/** Calls it in a process that is killed before its `step`th step, from 1; false when it came to its end before. */
export async function killedAt(step: number, { module, name, args }: Call): Promise<boolean> {
	const { href } = new URL(module, import.meta.url);
	const started = spawn(process.execPath, [child, String(step), href, name, JSON.stringify(args)], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	let said = '';
	started.stderr.on('data', text => (said += text));
	const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
		started.once('error', reject);
		started.once('exit', (...how) => resolve(how));
	});
	if (killedBy === 'SIGKILL') return true;
	if (code === 0) return false;
	throw new Error(`${name} before its step ${step}: ${said}`);
}
