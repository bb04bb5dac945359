/** The configuration of an OpenSSH server that stands for that of a Windows host: one address, one key, one program. */

export const sftpCommand = 'sftp-server';

export interface SshServerPlan {
	address: string;
	port: number;
	hostKeyPath: string;
	/** Files of keys, of which any opens. */
	authorizedKeysPaths: readonly string[];
	pidPath: string;
	/** What every session runs, whatever it asks for: that is in SSH_ORIGINAL_COMMAND. */
	command: readonly string[];
}

export function sshdConfiguration({
	address,
	port,
	hostKeyPath,
	authorizedKeysPaths,
	pidPath,
	command,
}: SshServerPlan): string {
	const lines = {
		ListenAddress: `${address}:${port}`,
		HostKey: hostKeyPath,
		AuthorizedKeysFile: authorizedKeysPaths.join(' '),
		PidFile: pidPath,
		AuthenticationMethods: 'publickey',
		PermitRootLogin: 'prohibit-password',
		// Without PAM it needs nothing of the system's, and runs as any user.
		UsePAM: 'no',
		// Temporary directories of tests are within ones that all may write.
		StrictModes: 'no',
		PrintMotd: 'no',
		DisableForwarding: 'yes',
		PermitTTY: 'no',
		MaxStartups: '100',
		LogLevel: 'VERBOSE',
		// What a session for it asks for, and the stand-in answers.
		Subsystem: `sftp ${sftpCommand}`,
		ForceCommand: command.map(quoted).join(' '),
	};
	return Object.entries(lines)
		.map(([name, value]) => `${name} ${value}\n`)
		.join('');
}

/** For sh(1), which the server starts it with. */
function quoted(argument: string): string {
	return `'${argument.replaceAll("'", "'\\''")}'`;
}
