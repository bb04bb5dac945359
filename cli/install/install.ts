import { chmod, mkdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { RouseError } from '../../model/errors.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import { namesIn } from '../../system/names-in.ts';
import { bashCompletion, zshCompletion } from './completion.ts';
import { madeByRouse, manPages, type PageFrame } from './man-pages.ts';

/** Where the command, its completions and its manual are. */
export interface Installed {
	command: string;
	completions: string[];
	/** Of `rouse` itself; those of its commands are beside it. */
	manPage: string;
}

export interface Installing {
	prefix: string;
	launcher: string;
	program: CommandUnknownOpts;
	frame: PageFrame;
}

/**
 * Names `launcher` in `prefix`/bin, and puts completions and manual where shells and man(1) look. `name_conflict` for what is
 * not ours.
 */
export async function install({ prefix, launcher, program, frame }: Installing): Promise<Installed> {
	const command = join(prefix, 'bin', 'rouse');
	await makeFolder(dirname(command));
	await link(launcher, command);
	const completions = {
		[join(prefix, 'share', 'bash-completion', 'completions', 'rouse')]: bashCompletion(program),
		[join(prefix, 'share', 'zsh', 'site-functions', '_rouse')]: zshCompletion(program),
	};
	for (const [path, text] of Object.entries(completions)) await put(path, text);
	const manual = join(prefix, 'share', 'man', 'man1');
	const pages = manPages(program, frame);
	for (const [name, text] of pages) await put(join(manual, name), text);
	await removeOldPages(manual, pages);
	return { command, completions: Object.keys(completions), manPage: join(manual, 'rouse.1') };
}

async function put(path: string, text: string): Promise<void> {
	await makeFolder(dirname(path));
	await replaceFileDurably(path, text);
	await chmod(path, 0o644); // our umask lets nobody else read
}

/** Of commands that another version had. */
async function removeOldPages(manual: string, pages: ReadonlyMap<string, string>): Promise<void> {
	for (const name of await namesIn(manual)) {
		if (!/^rouse-.*\.1$/.test(name) || pages.has(name)) continue;
		const path = join(manual, name);
		if ((await readFile(path, 'utf8')).startsWith(madeByRouse)) await rm(path);
	}
}

/** For everybody, unlike what Rouse makes elsewhere. */
async function makeFolder(path: string): Promise<void> {
	const first = await mkdir(path, { recursive: true });
	if (first === undefined) return;
	for (let at = path; at.length >= first.length; at = dirname(at)) await chmod(at, 0o755);
}

async function link(launcher: string, path: string): Promise<void> {
	try {
		await symlink(launcher, path);
	} catch (cause) {
		if (!isErrno(cause, 'EEXIST')) throw cause;
		const there = await readlink(path).catch(() => undefined); // no link at all
		if (there === launcher) return;
		throw new RouseError(
			'name_conflict',
			`${path} is there already${there === undefined ? '' : ` and leads to ${there}`}`,
			{
				hint: `look at it, then: rm ${path}; or choose another --prefix`,
				cause,
			},
		);
	}
}
