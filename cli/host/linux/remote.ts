/** Scripts on a Linux host, by the OpenSSH client, and files to it. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type OperatorDestination, sshArguments } from '../../../system/ssh-destination.ts';
import { RouseError } from '../../../model/errors.ts';
import { startError } from '../../../system/run-tool.ts';

export interface RemoteRun {
	code: number;
	stdout: string;
	/** The end of what it said on both. */
	said: string;
}

/** ssh(1): an error of its own; all else is what the program there ended with. */
const ownFailure = 255;
const keptCharacters = 16_384;
/** Far more than a package manager says. */
const mostCharacters = 16 * 1024 ** 2;
const otherHost = /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for/;

export class Remote {
	readonly destination: OperatorDestination;
	readonly #signal: AbortSignal;

	constructor(destination: OperatorDestination, signal: AbortSignal) {
		this.destination = destination;
		this.#signal = signal;
	}

	/** A script of sh with its arguments, in the umask of all that is ours, and of no home but that of our command; `input` is its standard input. Throws `tool_failed` unless it ends with 0. */
	async script(text: string, args: readonly string[] = [], input: Readable = Readable.from([])): Promise<string> {
		const { code, stdout, said } = await this.run(text, args, input);
		if (code === 0) return stdout;
		throw new RouseError('tool_failed', `on ${this.destination.host} a command ended with ${code}: ${said}`, {
			hint: 'mend what it names, and give the command again: it goes on where it stopped',
		});
	}

	/** Whatever it ends with; throws when the host is not reached. */
	async run(text: string, args: readonly string[] = [], input: Readable = Readable.from([])): Promise<RemoteRun> {
		const command = ['sh', '-c', `set -eu; unset ROUSE_HOME; umask 077; export LC_ALL=C\n${text}`, 'sh', ...args]
			.map(quoted)
			.join(' ');
		this.#signal.throwIfAborted();
		const child = spawn('ssh', [...sshArguments(this.destination), command], {
			stdio: ['pipe', 'pipe', 'pipe'],
			detached: true, // Ctrl-C on a terminal goes to us alone
			signal: this.#signal,
			killSignal: 'SIGKILL',
		});
		let stdout = '';
		let said = '';
		child.stdout.setEncoding('utf8').on('data', (part: string) => {
			stdout += part;
			said = (said + part).slice(-keptCharacters);
			if (stdout.length > mostCharacters) child.kill('SIGKILL');
		});
		child.stderr.setEncoding('utf8').on('data', (part: string) => {
			said = (said + part).slice(-keptCharacters);
		});
		const ended = new Promise<number>((resolve, reject) => {
			child.once('error', reject);
			child.once('close', code => resolve(code ?? ownFailure));
		});
		// One that ends before it has read all says why by how it ended.
		const fed = pipeline(input, child.stdin).catch(() => undefined);
		try {
			const code = await ended;
			await fed;
			if (stdout.length > mostCharacters)
				throw new RouseError('protocol', `${this.destination.host} says more than a host should`);
			if (code === ownFailure) throw this.#unreached(said.trim());
			return { code, stdout, said: said.trim() };
		} catch (error) {
			this.#signal.throwIfAborted();
			throw error instanceof RouseError ? error : startError('ssh', error, 'apt-get install openssh-client');
		}
	}

	/** As a whole or not at all, under its name; what came before an interruption is not sent again. */
	async send(localPath: string, path: string, sha256: string, onProgress: (done: number, total: number) => void) {
		const part = `${path}.${sha256.slice(0, 16)}.part`;
		const { size } = await stat(localPath);
		for (const isLast of [false, true]) {
			const there = await this.script(`if [ -e "$1" ]; then echo whole; else wc -c <"$2" 2>/dev/null || echo 0; fi`, [
				path,
				part,
			]);
			if (there.trim() === 'whole') return;
			const from = Math.min(Number(there.trim()), size);
			let done = from;
			const input = createReadStream(localPath, { start: from }).on('data', bytes =>
				onProgress((done += bytes.length), size),
			);
			if (from < size) await this.script('mkdir -p "$(dirname "$1")"; cat >>"$1"', [part], input);
			const taken = await this.script(taking, [part, path, sha256]);
			if (taken.trim() === 'taken') return;
			if (isLast || from === 0)
				throw new RouseError('io_failed', `${path} came otherwise than it was sent`, {
					hint: "look at the host's disks, and give the command again: it is sent anew",
				});
		}
	}

	#unreached(said: string): RouseError {
		const { user, host, port } = this.destination;
		const place = `${user}@${host}:${port}`;
		if (otherHost.test(said))
			return new RouseError('identity_conflict', `${place} is not the host that was added: ${said}`, {
				hint: 'another machine has this address, or its keys are new: compare them at its own screen, and add the host anew',
			});
		return new RouseError('hypervisor_failed', `${place} is not reached by SSH: ${said || 'the session was cut'}`, {
			hint: 'look at its name and address, its SSH server, and whether it takes your key (--identity); then give the command again: it goes on where it stopped',
		});
	}
}

const taking = `if echo "$3  $1" | sha256sum -c --status; then sync -d "$1"; mv "$1" "$2"; echo taken; else rm -f "$1"; echo other; fi`;

/** For the shell that sshd starts. */
function quoted(word: string): string {
	return `'${word.replaceAll("'", "'\\''")}'`;
}
