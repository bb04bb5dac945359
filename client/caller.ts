import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Of a process that nobody's login has led to: proc_pid_loginuid(5). */
const noLogin = '4294967295';

export interface Credential {
	/** /proc/self/loginuid, which a login sets and who is not root cannot change; undefined where the kernel keeps none. */
	loginUid: string | undefined;
	user: string;
	/** What sudo says, and anybody can say in its place. */
	sudoUser: string | undefined;
	/** Text of /etc/passwd. */
	passwd: string;
}

/**
 * Who acts here, as histories name them: who logged in, whatever they have become since; else the process's user. It is what
 * this machine's kernel says of a process that has the installation's keys, and no server has checked it.
 */
export function callerOf({ loginUid, user, sudoUser, passwd }: Credential): string {
	const of = (name: string) => name.replace(/\p{C}/gu, '?').slice(0, 100); // sudo's word could be lines of an audit
	if (loginUid !== undefined && loginUid !== noLogin) return of(nameOf(loginUid, passwd) ?? `uid ${loginUid}`);
	return of(sudoUser ? `${user} (sudo: ${sudoUser})` : user);
}

export function caller(): string {
	return callerOf({
		loginUid: textOf('/proc/self/loginuid')?.trim(),
		user: userName(),
		sudoUser: process.env['SUDO_USER'],
		passwd: textOf('/etc/passwd') ?? '',
	});
}

/** passwd(5). */
function nameOf(uid: string, passwd: string): string | undefined {
	for (const line of passwd.split('\n')) {
		const [name, , id] = line.split(':');
		if (id === uid && name) return name;
	}
	return undefined;
}

/** A container may run as a user that no passwd file knows. */
function userName(): string {
	try {
		return userInfo().username;
	} catch {
		return `uid ${process.getuid?.() ?? 'unknown'}`;
	}
}

function textOf(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return undefined; // no such file here, and nothing depends on it but a name
	}
}
