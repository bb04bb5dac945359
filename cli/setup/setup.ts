import { RouseError } from '../../model/errors.ts';
import { cacheDirectory } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { installPackages, providePackageLists } from './packages.ts';
import { provideTemporal } from './temporal.ts';
import { inspectTool, type Tool, tools } from './tools.ts';

export interface SetupResult {
	/** Debian packages that were installed now. */
	installed: string[];
	temporal: { path: string; server: string };
}

/** Provides all that running needs, and these tools besides; quick and silent when it is there. Throws `tool_missing`. */
export async function setUp(context: Context, besides: readonly Tool[] = []): Promise<SetupResult> {
	const wanted = [...tools, ...besides];
	const installed = await missingPackages(wanted, context.signal);
	if (installed.length > 0) {
		await installPackages(installed, context);
		const still = await missingPackages(wanted, context.signal);
		if (still.length > 0)
			throw new RouseError('tool_missing', `installed, but too old or incomplete: ${still.join(', ')}`, {
				hint: 'rouse doctor says what is wrong; a newer release of the system may be needed',
			});
	}
	await providePackageLists(context);
	const temporal = await provideTemporal(cacheDirectory(context.env), context);
	return { installed, temporal: { path: temporal.path, server: temporal.server } };
}

async function missingPackages(wanted: readonly Tool[], signal: AbortSignal): Promise<string[]> {
	const findings = await Promise.all(wanted.map(tool => inspectTool(tool, signal)));
	return [...new Set(wanted.filter((_, index) => findings[index]?.ok === false).map(tool => tool.debianPackage))];
}
