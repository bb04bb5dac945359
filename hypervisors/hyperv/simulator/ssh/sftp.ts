/** Stands for Windows' sftp-server.exe: OpenSSH's own of this machine, whose paths are those of the simulated drives. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SftpPaths } from './sftp-paths.ts';

/** Debian's place of it. */
const program = '/usr/lib/openssh/sftp-server';

/** Of this process's stdin and stdout; the exit code of the program when the session is over. */
export async function serveSftp(root: string): Promise<number> {
	const server = spawn(program, [], { stdio: ['pipe', 'inherit', 'inherit'], cwd: root });
	const paths = new SftpPaths(root);
	const ended = once(server, 'exit');
	server.stdin.on('error', () => undefined); // it has ended, which is told below
	for await (const bytes of process.stdin) {
		if (!Buffer.isBuffer(bytes)) continue;
		for (const packet of paths.push(bytes))
			if (!server.stdin.write(packet)) await Promise.race([once(server.stdin, 'drain'), ended]);
	}
	server.stdin.end();
	await ended;
	return server.exitCode ?? 1;
}
