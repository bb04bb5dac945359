import { readdir } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { runTool, type ToolRun } from '../../system/run-tool.ts';
import { askVersion } from '../../system/tool-version.ts';
import type { Context } from '../terminal/command.ts';

const listsDirectory = '/var/lib/apt/lists';
/** A machine that boots may still hold dpkg's lock for its own upgrades. */
const waitForDpkg = ['-o', 'DPkg::Lock::Timeout=300'];

const noApt = 'this system has no apt-get: install what these Debian packages hold with its own tools';

/** The command a person would run; one line, to be copied. */
export function installCommand(packages: readonly string[], isRoot: boolean): string {
	const sudo = isRoot ? '' : 'sudo ';
	return `${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

/**
 * Installs Debian packages as root, after saying so. Not root, or no apt-get: `tool_missing` with the command to run.
 */
export async function installPackages(packages: readonly string[], context: Context): Promise<void> {
	const isRoot = process.getuid?.() === 0;
	const there = await hasApt();
	if (!there || !isRoot) {
		const hint = there ? `run: ${installCommand(packages, isRoot)}` : noApt;
		throw new RouseError('tool_missing', `missing packages: ${packages.join(', ')}`, { hint });
	}
	context.output.message(`installing with apt-get: ${packages.join(' ')}`);
	await apt(['update'], context);
	await apt(['install', '-y', '--no-install-recommends', ...packages], context);
}

/** The demo's guest is made of Debian packages: their lists must be there. Only root can fetch them. */
export async function providePackageLists(context: Context): Promise<void> {
	const names = await readdir(listsDirectory).catch(() => []);
	if (process.getuid?.() !== 0 || names.some(name => /_Packages(\.|$)/.test(name))) return;
	if (!(await hasApt())) return;
	context.output.message("fetching Debian's package lists (apt-get update)");
	await apt(['update'], context);
}

async function hasApt(): Promise<boolean> {
	return (await askVersion('apt-get')).problem === null;
}

/** With our own umask the scripts of packages would make files of the system that only root can read. */
const asTheSystem = 'umask 022; exec "$0" "$@"';

async function apt(args: readonly string[], { output, signal, env }: Context): Promise<void> {
	const progress = output.progress(`apt-get ${args[0]}`);
	let lines = 0;
	let run: ToolRun;
	try {
		run = await runTool('sh', ['-c', asTheSystem, 'apt-get', ...waitForDpkg, '-q', ...args], {
			hint: noApt,
			signal,
			env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
			onLine: line => progress.update({ done: ++lines, unit: 'lines', note: line.slice(0, 60) }),
		});
	} finally {
		progress.end();
	}
	if (run.code === 0) return;
	throw new RouseError('tool_missing', `apt-get ${args[0]} failed:\n${run.tail.join('\n')}`, {
		hint: `mend what it names, then run again; by hand: apt-get ${args.join(' ')}`,
	});
}
