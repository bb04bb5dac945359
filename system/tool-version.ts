import { asRouseError } from '../model/errors.ts';
import { runTool } from './run-tool.ts';

/** Saying a version takes a moment, on a busy machine some seconds. */
const silenceMs = 30_000;

export interface VersionAnswer {
	/** Empty when there is a problem. */
	said: string;
	problem: 'not found' | 'does not run' | null;
}

/** What a program says when it is asked for its version. */
export async function askVersion(
	program: string,
	{ args = ['--version'], signal }: { args?: readonly string[] | undefined; signal?: AbortSignal | undefined } = {},
): Promise<VersionAnswer> {
	try {
		const { code, stdout, stderr } = await runTool(program, args, { silenceMs, signal, hint: 'rouse doctor' });
		return code === 0 ? { said: stdout + stderr, problem: null } : { said: '', problem: 'does not run' };
	} catch (error) {
		signal?.throwIfAborted();
		return { said: '', problem: asRouseError(error).code === 'tool_missing' ? 'not found' : 'does not run' };
	}
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
