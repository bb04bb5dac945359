import { readFile } from 'node:fs/promises';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import type { FarProgram, FarSide } from '../far/far-side.ts';
import type { DigestRange, Ranges } from '../ranges.ts';
import { Answers } from './answers.ts';
import { findPython } from './find-python.ts';
import { type AgentRequest, deviceError, digestBytes, digestCount, mostRequestBytes } from './protocol.ts';
import { Requests } from './requests.ts';

const noPython = 127;
const startScript = `${findPython}
python=$(find_python) || exit ${noPython}
exec "$python" -I -B -c "$1"`;
/** The agent ends when it hears nothing for two minutes. */
const pingMs = 30_000;
const mostHandles = 0xffff;

/**
 * Reads by an agent that is sent to the other machine's Python over the connection. It is alone with its reads, and has ended
 * when the connection has.
 */
export class AgentRanges implements Ranges {
	readonly digestsAreQuick = true;
	readonly #program: FarProgram;
	readonly #requests: Requests;
	readonly #devices = new Map<string, Promise<{ handle: number; sizeBytes: number }>>();
	#handles = 0;
	readonly #pings: NodeJS.Timeout;

	private constructor(program: FarProgram, name: string) {
		this.#program = program;
		this.#requests = new Requests(program.stdin);
		const answers = new Answers(() => this.#requests.next());
		program.stdout.on('data', (piece: Buffer) => {
			try {
				answers.add(piece);
			} catch (error) {
				this.#end(asRouseError(error));
			}
		});
		program.ended.then(
			({ code, said }) => this.#end(code === noPython ? withoutPython(name) : cut(name, said)),
			(error: unknown) => this.#end(asRouseError(error)),
		);
		// What it is not told any more its reads are told as well.
		this.#pings = setInterval(() => void this.#requests.ask({ op: 'ping' }, undefined).catch(() => {}), pingMs).unref();
	}

	/** `tool_missing` when there is no Python. */
	static async start(far: FarSide, signal: AbortSignal): Promise<AgentRanges> {
		const agent = await readFile(new URL('agent.py', import.meta.url));
		const ranges = new AgentRanges(far.start(startScript, [bootstrap(agent.length)]), far.name);
		ranges.#program.stdin.write(agent);
		try {
			await ranges.#requests.ask({ op: 'ping' }, signal);
			return ranges;
		} catch (error) {
			await ranges.close();
			throw error;
		}
	}

	async sizeOf(path: string, signal: AbortSignal): Promise<number> {
		return (await this.#device(path, signal)).sizeBytes;
	}

	async read(path: string, atBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const { handle } = await this.#device(path, signal);
		const reads: Promise<unknown>[] = [];
		for (let done = 0; done < into.length; done += mostRequestBytes) {
			const part = into.subarray(done, done + mostRequestBytes);
			const request = { op: 'read', handle, offsetBytes: atBytes + done, lengthBytes: part.length } as const;
			reads.push(this.#ask(request, signal, { path, into: part }));
		}
		await Promise.all(reads);
	}

	async digests(path: string, range: DigestRange, signal: AbortSignal): Promise<Buffer[]> {
		const { handle } = await this.#device(path, signal);
		const { atBytes: offsetBytes, ...rest } = range;
		const request = { op: 'digests', handle, offsetBytes, ...rest } as const;
		const body = await this.#ask(request, signal, { path });
		if (body.length !== digestCount(request) * digestBytes)
			throw new RouseError('protocol', 'the agent gives another number of digests than it was asked for');
		return Array.from({ length: body.length / digestBytes }, (_, index) =>
			body.subarray(index * digestBytes, (index + 1) * digestBytes),
		);
	}

	async close(): Promise<void> {
		this.#end(new RouseError('source_unreachable', 'the connection was closed'));
		await this.#program.ended.catch(() => {}); // it was cut by us
	}

	#end(error: RouseError): void {
		clearInterval(this.#pings);
		this.#requests.fail(error);
		this.#program.kill();
	}

	#device(path: string, signal: AbortSignal): Promise<{ handle: number; sizeBytes: number }> {
		const known = this.#devices.get(path);
		if (known !== undefined) return known;
		const opening = this.#opened(path, signal).catch((error: unknown) => {
			this.#devices.delete(path); // whoever comes next asks again
			throw error;
		});
		this.#devices.set(path, opening);
		return opening;
	}

	async #opened(path: string, signal: AbortSignal): Promise<{ handle: number; sizeBytes: number }> {
		const handle = this.#handles++;
		if (handle > mostHandles) throw new RouseError('internal', 'too many devices of one machine were opened');
		const body = await this.#ask({ op: 'open', handle, path }, signal, { path });
		if (body.length !== 8) throw new RouseError('protocol', 'the agent tells no size');
		return { handle, sizeBytes: Number(body.readBigUInt64BE(0)) };
	}

	async #ask(
		request: AgentRequest,
		signal: AbortSignal,
		{ path, into }: { path: string; into?: Buffer },
	): Promise<Buffer> {
		const { header, body } = await this.#requests.ask(request, signal, into);
		if (header.status === 'failed') throw deviceError(path, body);
		if (into === undefined || body === into) return body;
		if (header.status !== 'zeros')
			throw new RouseError('protocol', 'the agent gives another number of bytes than it was asked for');
		return into.fill(0);
	}
}

/** Reads the agent by its length, and becomes it. */
function bootstrap(lengthBytes: number): string {
	return [
		'import os',
		'text = b""',
		`while len(text) < ${lengthBytes}:`,
		` piece = os.read(0, ${lengthBytes} - len(text))`,
		' if not piece: os._exit(3)',
		' text += piece',
		'exec(compile(text, "agent", "exec"))',
	].join('\n');
}

function withoutPython(name: string): RouseError {
	return new RouseError('tool_missing', `there is no Python 3 on ${name}`, {
		hint: 'without it all is read each time, and slower: apt-get install python3-minimal, there',
	});
}

function cut(name: string, said: string): RouseError {
	const why =
		said === '' ? 'the connection has ended while disks were read' : `the agent there has ended: ${said.slice(-400)}`;
	return new RouseError('source_unreachable', `${name}: ${why}`);
}
