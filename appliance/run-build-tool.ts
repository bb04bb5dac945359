import { RouseError } from '../model/errors.ts';
import { programPath } from '../system/program-path.ts';
import { runTool } from '../system/run-tool.ts';
import { installing } from './build-tools.ts';

export interface BuildToolOptions {
	signal?: AbortSignal | undefined;
	/** Beside our own environment. */
	env?: Readonly<Record<string, string>> | undefined;
	onLine?: ((line: string) => void) | undefined;
}

/** Runs a program to its end and gives what it printed. Throws `tool_failed` with its last lines, and as `runTool`. */
export async function runBuildTool(
	program: string,
	args: readonly string[],
	{ signal, env, onLine }: BuildToolOptions = {},
): Promise<string> {
	const { code, stdout, tail } = await runTool(program, args, {
		hint: installing([program]),
		signal,
		onLine,
		env: { ...process.env, PATH: programPath(), ...env },
	});
	if (code !== 0) throw new RouseError('tool_failed', `${program} ended with ${code}: ${tail.join('\n')}`);
	return stdout;
}
