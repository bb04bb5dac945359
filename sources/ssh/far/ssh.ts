import { type ChildProcess, spawn } from 'node:child_process';
import { RouseError } from '../../../model/errors.ts';
import { startError } from '../../../system/run-tool.ts';
import { type OperatorDestination, sshArguments } from '../../../system/ssh-destination.ts';
import { noRootExit, remoteCommand } from './command.ts';
import type { FarProgram, FarRun, FarSide, RunOptions } from './far-side.ts';

/** ssh(1): an error of its own; all else is what the program there ended with. */
const ownFailure = 255;
const keptCharacters = 4096;
const defaultBytes = 16 * 2 ** 20;
/** Said before a script begins; what comes before is the shell's that logs in, as of an `echo` in its .bashrc. */
const begun = '\u0002rouse\n';
const sayBegun = String.raw`printf '\002rouse\n'`;
const mostBefore = 64 * 1024;
const otherHost = /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for/;
const fingerprint = /SHA256:[\w+/]+/;
const badKey = /^Load key /m;
const refused = /Permission denied|Too many authentication failures|no such identity/;

/** By the system's `ssh`, which takes no host key but the one that is pinned. Each script is a session of its own. */
export class SshFarSide implements FarSide {
	readonly name: string;
	readonly #destination: OperatorDestination;

	constructor(destination: OperatorDestination) {
		this.#destination = destination;
		const { user, host, port } = destination;
		this.name = `${user}@${host}${port === 22 ? '' : `:${port}`}`;
	}

	async run(
		script: string,
		args: readonly string[],
		signal: AbortSignal,
		{ mostBytes = defaultBytes }: RunOptions = {},
	): Promise<FarRun> {
		signal.throwIfAborted();
		const program = this.start(`${sayBegun}\n${script}`, args);
		const kill = () => program.kill();
		signal.addEventListener('abort', kill, { once: true });
		const pieces: Buffer[] = [];
		let bytes = 0;
		program.stdout.on('data', (piece: Buffer) => {
			bytes += piece.length;
			if (bytes <= mostBytes + mostBefore) pieces.push(piece);
			else program.kill();
		});
		program.stdin.end();
		try {
			const { code, said } = await program.ended;
			return { code, said, stdout: this.#saidBy(Buffer.concat(pieces), said, mostBytes) };
		} catch (error) {
			signal.throwIfAborted();
			if (bytes > mostBytes + mostBefore) throw this.#saidTooMuch();
			throw error;
		} finally {
			signal.removeEventListener('abort', kill);
		}
	}

	#saidBy(all: Buffer, said: string, mostBytes: number): Buffer {
		const at = all.indexOf(begun);
		if (at < 0)
			throw new RouseError('protocol', `${this.name} lets us in, and does not run what it is told: ${said}`, {
				hint: 'its shell must run what is behind -c; a command= in authorized_keys keeps it from that',
			});
		const stdout = all.subarray(at + begun.length);
		if (stdout.length > mostBytes) throw this.#saidTooMuch();
		return stdout;
	}

	#saidTooMuch(): RouseError {
		return new RouseError('protocol', `${this.name} says more than was asked`);
	}

	start(script: string, args: readonly string[]): FarProgram {
		const child = spawn('ssh', [...sshArguments(this.#destination), remoteCommand(script, args)], {
			stdio: ['pipe', 'pipe', 'pipe'],
			detached: true, // Ctrl-C on a terminal goes to us alone
		});
		let said = '';
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			said = (said + text).slice(-keptCharacters);
		});
		// One that has ended says why by how it ended.
		child.stdin.on('error', () => {});
		return {
			stdin: child.stdin,
			stdout: child.stdout,
			ended: this.#ended(child, () =>
				said
					.trim()
					.replaceAll('\r\n', '\n')
					.replaceAll(/[^\P{C}\n\t]/gu, '?'),
			), // a terminal would obey it
			kill: () => void child.kill('SIGKILL'),
		};
	}

	async #ended(child: ChildProcess, said: () => string): Promise<{ code: number; said: string }> {
		const code = await new Promise<number>((resolve, reject) => {
			child.once('error', error => reject(startError('ssh', error, 'apt-get install openssh-client')));
			child.once('close', ended => resolve(ended ?? ownFailure));
		});
		if (code === ownFailure) throw this.#unreached(said());
		if (code === noRootExit) throw this.#noRoot(said());
		return { code, said: said() };
	}

	#unreached(said: string): RouseError {
		if (otherHost.test(said))
			return new RouseError(
				'identity_conflict',
				// Of a key that has changed ssh tells how to forget the one that is pinned: whoever does that has none.
				`${this.name} shows another host key than the one that is known: ${fingerprint.exec(said)?.[0] ?? said}`,
				{
					hint: 'another machine has this address, or its keys are new: compare them at its own screen',
				},
			);
		if (refused.test(said))
			return new RouseError('access_denied', `${this.name} does not let us in: ${said}`, {
				hint: badKey.test(said)
					? 'the file of its credential must be a private key, without a passphrase'
					: 'put the public key into authorized_keys of that user',
			});
		return new RouseError(
			'source_unreachable',
			`${this.name} is not reached by SSH: ${said || 'the session was cut'}`,
			{
				hint: 'look at its name and address, and at its SSH server',
			},
		);
	}

	#noRoot(said: string): RouseError {
		return new RouseError('access_denied', `${this.name} is not root, and may not become it: ${said}`, {
			hint: 'disks are read as root: log in as root, or allow that user sudo without a password',
		});
	}
}
