import { chmod, mkdir, readlink, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { RouseError } from '../../model/errors.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import { bashCompletion, zshCompletion } from './completion.ts';

/** Where the command and its completions are. */
export interface Installed {
	command: string;
	completions: string[];
}

/** Names `launcher` in `prefix`/bin, and puts the completions where shells look. `name_conflict` for what is not ours. */
export async function install(prefix: string, launcher: string, program: CommandUnknownOpts): Promise<Installed> {
	const command = join(prefix, 'bin', 'rouse');
	await makeFolder(dirname(command));
	await link(launcher, command);
	const texts = {
		[join(prefix, 'share', 'bash-completion', 'completions', 'rouse')]: bashCompletion(program),
		[join(prefix, 'share', 'zsh', 'site-functions', '_rouse')]: zshCompletion(program),
	};
	for (const [path, text] of Object.entries(texts)) {
		await makeFolder(dirname(path));
		await replaceFileDurably(path, text);
		await chmod(path, 0o644); // our umask lets nobody else read
	}
	return { command, completions: Object.keys(texts) };
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
