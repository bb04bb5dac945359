/** Machines and movers of an installation that systemd keeps: each in a scope of its own, so that nothing that is done to the service reaches them. */
import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import type { Program } from './spawn-locked.ts';

/** In the environment of services that systemd keeps: their unit, which ends before the scopes do when the host is shut down. */
export const scopesBefore = 'ROUSE_SCOPES_BEFORE';

/**
 * The program as systemd-run(1) starts it, which makes the scope, goes into it and becomes the program: the pid stays, and so
 * does the lock, after which the scope is called. As it is where systemd does not keep us.
 */
export function inOwnScope(program: Program, lockPath: string, env: NodeJS.ProcessEnv = process.env): Program {
	const service = env[scopesBefore];
	if (!service) return program;
	const of = `${basename(dirname(lockPath))}-${basename(lockPath, '.lock')}`;
	// One that is just ending has its name still.
	const unit = `rouse-${of}-${randomBytes(4).toString('hex')}.scope`;
	const options = [
		['--scope', '--quiet', '--collect', `--unit=${unit}`, '--slice=machine.slice'],
		// Else it is the whole command line, scripts in it included.
		`--description=Rouse: ${of}`,
		// What starts later is stopped first: a supervisor that sees a machine end in a shutdown would start it again.
		`--property=Before=${service}`,
	].flat();
	return { ...program, command: 'systemd-run', args: [...options, '--', program.command, ...program.args] };
}
