import { RouseError } from '../../../model/errors.ts';
import { wrongScriptExitCode } from './bootstrap.ts';
import type { OperatorDestination } from '../../../system/ssh-destination.ts';

export interface SshEnd {
	code: number | null;
	signal: NodeJS.Signals | null;
	/** The end of stderr. */
	said: string;
}

/** ssh(1): 255 is an error of its own; all else is what the program there ended with. */
const ownFailure = 255;

/** In the words of OpenSSH 9's client (sshconnect.c, sshconnect2.c, ssh.c), which it does not translate. */
const causes: readonly { says: RegExp; hint: (destination: OperatorDestination) => string }[] = [
	{
		says: /Permission denied/,
		hint: ({ user }) =>
			`put Rouse's public key into C:\\ProgramData\\ssh\\administrators_authorized_keys of that host, which only Administrators and SYSTEM may write, and look whether ${user} is an administrator there`,
	},
	{
		says: /Connection refused/,
		hint: () => 'start the OpenSSH server of that host: Start-Service sshd',
	},
	{
		says: /Could not resolve hostname/,
		hint: () => 'look at the name of the host, or give its address',
	},
	{
		says: /timed out|No route to host|Network is unreachable|not responding/,
		hint: () => 'look whether the host runs, and at the internal switch between it and the appliance',
	},
	{
		says: /not recognized as an internal or external command|is not recognized/,
		hint: () => 'powershell.exe must be in the PATH of the OpenSSH server; restart its service after a change',
	},
	{
		says: /UNPROTECTED PRIVATE KEY|bad permissions|Load key/,
		hint: ({ identityPath }) =>
			`look at ${identityPath ?? 'your key'}: it must be a private key that its owner alone may read`,
	},
];

const otherHost = /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for/;

/** Why a session over SSH ended, with what a person can do. */
export function sshFailure(destination: OperatorDestination, { code, signal, said }: SshEnd): RouseError {
	const place = `${destination.user}@${destination.host}:${destination.port}`;
	const more = said === '' ? '' : `: ${said}`;
	if (otherHost.test(said))
		return new RouseError('identity_conflict', `${place} is not the host that was added${more}`, {
			hint: 'another machine has this address, or the keys of its OpenSSH server are new: compare them at its own screen, and add the host again',
		});
	const how = signal === null ? `with ${code}` : `by ${signal}`;
	const message =
		code === ownFailure
			? `${place} is not reached by SSH${more}`
			: code === wrongScriptExitCode
				? `the script did not reach ${place} whole${more}`
				: `the session with ${place} ended ${how}${more}`;
	const hint = causes.find(({ says }) => says.test(said))?.hint(destination);
	return new RouseError('hypervisor_failed', message, { hint: hint ?? 'it is begun anew by the next request' });
}
