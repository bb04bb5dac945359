/** A Windows host as the OpenSSH client reaches it. */
export interface SshDestination {
	host: string;
	port: number;
	user: string;
	/** Of our private key. */
	identityPath: string;
	/** The host's keys as they were when it was added; no other is taken. */
	knownHostsPath: string;
}

/**
 * Nobody's configuration but this: no agent, no password, no other key, no other record of host keys. `-T`: a pty of
 * Windows would draw what is said on a screen. A dead host is noticed after a minute.
 */
export function sshArguments({ host, port, user, identityPath, knownHostsPath }: SshDestination): string[] {
	const options = {
		BatchMode: 'yes',
		StrictHostKeyChecking: 'yes',
		UserKnownHostsFile: quoted(knownHostsPath),
		GlobalKnownHostsFile: 'none',
		UpdateHostKeys: 'no',
		IdentitiesOnly: 'yes',
		IdentityAgent: 'none',
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
	return ['-F', 'none', '-T', '-a', '-x', ...given, '-i', identityPath, '-p', String(port), '-l', user, '--', host];
}

/** ssh_config(5) splits values at spaces, and takes quotes around them. */
function quoted(path: string): string {
	return `"${path}"`;
}
