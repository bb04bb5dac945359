/** A named pipe of the Windows host as a stream: a session of its own runs `console.ps1`, which joins the two. */
import { once } from 'node:events';
import { Duplex, type Readable } from 'node:stream';
import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { refusalText } from '../../../model/issue-text.ts';
import type { CallOptions } from '../../contract.ts';
import { bootstrapCommand, type ConstantScript, greetingOf, loadConsoleScript } from './bootstrap.ts';
import type { Pipes } from './driver.ts';
import { asciiJson } from './exchange.ts';
import { type RemoteProgram, startRemote } from './ssh.ts';
import type { SshDestination } from '../../../system/ssh-destination.ts';

const openMs = 60_000;
/** What a shell says before the script begins is no more than that. */
const maxLineBytes = 4096;
const maxNoiseLines = 200;

const answerSchema = z.union([
	z.object({ ok: z.literal(true) }),
	z.object({ ok: z.literal(false), hresult: z.string() }),
]);

export async function connectPipes(destination: SshDestination): Promise<Pipes> {
	const script = await loadConsoleScript();
	const command = bootstrapCommand(script);
	return { open: (pipe, options) => openPipe(startRemote(destination, command), script, pipe, options) };
}

/** `program` runs the bootstrap of `script`; it ends with the stream. */
async function openPipe(
	program: RemoteProgram,
	script: ConstantScript,
	pipe: string,
	{ signal }: CallOptions = {},
): Promise<Duplex> {
	const late = AbortSignal.timeout(openMs);
	const reader = new LineReader(program, signal ? AbortSignal.any([signal, late]) : late);
	try {
		program.stdin.write(script.text, 'ascii');
		program.stdin.write(`${asciiJson({ pipe })}\n`, 'ascii');
		await greeted(reader, greetingOf(script));
		check(pipe, await reader.line());
	} catch (error) {
		program.stdout.destroy(); // what nobody reads would keep it from ending
		void program.close(0);
		signal?.throwIfAborted();
		if (late.aborted) throw stuck(pipe);
		throw error;
	}
	return joined(program);
}

async function greeted(reader: LineReader, greeting: string): Promise<void> {
	for (let lines = 0; lines < maxNoiseLines; lines++) if ((await reader.line()) === greeting) return;
	throw new RouseError('protocol', 'what answers for a pipe is no script of ours');
}

function check(pipe: string, line: string): void {
	let document: unknown;
	try {
		document = JSON.parse(line);
	} catch (cause) {
		throw new RouseError('protocol', `pipe ${pipe}: no answer: ${line}`, { cause });
	}
	const answer = answerSchema.safeParse(document);
	if (!answer.success) throw new RouseError('protocol', `pipe ${pipe}: ${refusalText(answer.error)}`);
	if (!answer.data.ok)
		throw new RouseError('phase_wrong', `the machine has no console now: nobody serves ${pipe}`, {
			details: { hresult: answer.data.hresult },
		});
}

/** Both directions as one stream, with which the program ends. */
function joined(program: RemoteProgram): Duplex {
	const { stdin, stdout } = program;
	const stream = new Duplex({
		allowHalfOpen: false, // as a socket: whoever reads to its end sees it closed
		read: () => void stdout.resume(),
		write: (bytes: Buffer, _, done) => void stdin.write(bytes, done),
		final: done => void stdin.end(done),
		destroy(error, done) {
			stdout.destroy();
			void program.close(0);
			done(error);
		},
	});
	stdout.on('data', (bytes: Buffer) => {
		if (!stream.push(bytes)) stdout.pause();
	});
	stdout.once('end', () => stream.push(null));
	return stream;
}

function stuck(pipe: string): RouseError {
	return new RouseError('hypervisor_stuck', `the host did not open ${pipe} within ${openMs} ms`);
}

/** Lines of a stream whose later bytes are left in it. */
class LineReader {
	readonly #stdout: Readable;
	readonly #signal: AbortSignal;
	readonly #ended: Promise<never>;

	constructor({ stdout, ended }: RemoteProgram, signal: AbortSignal) {
		this.#stdout = stdout;
		this.#signal = signal;
		this.#ended = ended.then(error => {
			throw error;
		});
		this.#ended.catch(() => undefined); // nobody may read when it ends
	}

	async line(): Promise<string> {
		let text = '';
		for (;;) {
			this.#signal.throwIfAborted();
			const part = this.#read();
			if (part === undefined) {
				await Promise.race([once(this.#stdout, 'readable', { signal: this.#signal }), this.#ended]);
				continue;
			}
			const end = part.indexOf(0x0a);
			text += part.subarray(0, end < 0 ? part.length : end).toString('latin1');
			if (text.length > maxLineBytes) throw new RouseError('protocol', `a line of more than ${maxLineBytes} bytes`);
			if (end < 0) continue;
			if (end + 1 < part.length) this.#stdout.unshift(part.subarray(end + 1));
			return text.replace(/\r$/, '');
		}
	}

	#read(): Buffer | undefined {
		const part: unknown = this.#stdout.read();
		return Buffer.isBuffer(part) ? part : undefined;
	}
}
