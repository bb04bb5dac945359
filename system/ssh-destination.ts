/** A machine as the OpenSSH client reaches it with a key of ours. */
export interface SshDestination extends OperatorDestination {
	/** Of our private key. */
	identityPath: string;
}

/** The same for a person who sets a machine up. */
export interface OperatorDestination {
	host: string;
	port: number;
	user: string;
	/** Undefined: the keys that ssh finds by itself, of an agent or in `~/.ssh`. */
	identityPath: string | undefined;
	/** The host's keys as they were when it was added; no other is taken. */
	knownHostsPath: string;
}

/** For a program there. `-T`: a pty of Windows would draw what is said on a screen. */
export function sshArguments(destination: OperatorDestination): string[] {
	const { host, port, user } = destination;
	return ['-T', '-a', '-x', ...optionArguments(destination), '-p', String(port), '-l', user, '--', host];
}

/** For files, by the commands in a file. */
export function sftpArguments(destination: OperatorDestination, batchPath: string): string[] {
	const { host, port, user } = destination;
	const place = host.includes(':') ? `[${host}]` : host;
	return [
		'-q',
		...optionArguments(destination),
		'-P',
		String(port),
		'-o',
		`User=${user}`,
		'-b',
		batchPath,
		'--',
		place,
	];
}

/**
 * Nobody's configuration but this: no password, no other record of host keys, and where a key is named no agent and no other
 * key. A dead host is noticed after a minute.
 */
function optionArguments({ identityPath, knownHostsPath }: OperatorDestination): string[] {
	const options = {
		BatchMode: 'yes',
		StrictHostKeyChecking: 'yes',
		UserKnownHostsFile: quoted(knownHostsPath),
		GlobalKnownHostsFile: 'none',
		UpdateHostKeys: 'no',
		...(identityPath === undefined ? {} : { IdentitiesOnly: 'yes', IdentityAgent: 'none' }),
		PreferredAuthentications: 'publickey',
		ConnectTimeout: '15',
		ServerAliveInterval: '15',
		ServerAliveCountMax: '4',
		ControlPath: 'none',
		ClearAllForwardings: 'yes',
		EscapeChar: 'none',
		LogLevel: 'ERROR',
	};
	const given = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
	return ['-F', 'none', ...given, ...(identityPath === undefined ? [] : ['-i', identityPath])];
}

/** ssh_config(5) splits values at spaces, takes quotes around them, and puts something in the place of a percent sign with a letter. */
function quoted(path: string): string {
	return `"${path.replaceAll('%', '%%')}"`;
}
