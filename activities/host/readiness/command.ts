import { access, constants, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { isErrno } from '../../../system/durable-file.ts';
import { checkOwnDirectory, objectionToOwn } from '../../../system/own-directory.ts';
import { runTool, type ToolRun } from '../../../system/run-tool.ts';
import { terminalLine } from '../../../system/terminal-text.ts';
import type { AskOptions } from './ping.ts';

export interface CheckCommand {
	/** Where such programs are. */
	directory: string;
	name: string;
	args: readonly string[];
	recovery: string;
}

/** Of what it said: its end, which says most. */
const saidLength = 500;

/**
 * Why a person's own program does not say that the machine is ready; undefined when it ends with exit code 0. Orders name it
 * and bring nothing to run: `config_invalid` when anybody else could have put it there.
 */
export async function askByCommand(check: CheckCommand, options: AskOptions): Promise<string | undefined> {
	const { code, tail } = await runCheck(check, options);
	if (code === 0) return undefined;
	const said = terminalLine(tail.join(' ').slice(-saidLength));
	return `checks/${check.name} ended with exit code ${code}${said === '' ? '' : `: ${said}`}`;
}

/** The same, with what it came to. */
export async function runCheck(
	{ directory, name, args, recovery }: CheckCommand,
	{ withinMs, signal }: AskOptions,
): Promise<ToolRun> {
	const path = join(directory, name);
	await mustBeOurs(directory, path);
	return runTool(path, args, {
		hint: `put it to ${path}, with the right to be run`,
		wholeMs: withinMs,
		signal,
		env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ROUSE_RECOVERY: recovery },
		cwd: '/',
	});
}

async function mustBeOurs(directory: string, path: string): Promise<void> {
	await checkOwnDirectory({ path: directory, what: 'directory of checks', elsewhere: 'move it away' });
	const found = await lstat(path).catch((cause: unknown) => {
		if (!isErrno(cause, 'ENOENT')) throw cause;
		throw new RouseError('config_invalid', `there is no check ${path}`, {
			hint: 'put a program there on the host, with the right to be run',
			cause,
		});
	});
	const objection = found.isFile()
		? objectionToOwn(found, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 })
		: { what: 'is no file', mend: () => 'put the program itself there' };
	if (objection)
		throw new RouseError('config_invalid', `the check ${path} ${objection.what}`, { hint: objection.mend(path) });
	await access(path, constants.X_OK).catch((cause: unknown) => {
		throw new RouseError('config_invalid', `the check ${path} may not be run`, { hint: `chmod u+x ${path}`, cause });
	});
}
