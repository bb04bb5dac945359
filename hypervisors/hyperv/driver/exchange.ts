/** One session's bytes: requests out, answers in. Knows nothing of processes or time. */
import { RouseError } from '../../../model/errors.ts';
import { refusalText } from '../../../model/issue-text.ts';
import { answerSchema, type DriverAnswer } from './wire.ts';

/** The longest answer is that of `chain`: some hundred files with their paths. */
const maxLineBytes = 4 * 1024 * 1024;
/** What a shell may say before the driver begins. */
const maxNoiseLines = 200;
const lineFeed = 0x0a;

/** After it threw it is dead. */
export class DriverExchange {
	readonly #greeting: string;
	readonly #noise: string[] = [];
	#greeted = false;
	#parts: Buffer[] = [];
	#pendingBytes = 0;
	#lastId = 0;
	/** Of the request that has no answer yet. */
	#open: number | undefined;

	constructor(greeting: string) {
		this.#greeting = greeting;
	}

	/** The driver has begun. */
	get greeted(): boolean {
		return this.#greeted;
	}

	/** What came in its place so far. */
	get noise(): string {
		return this.#noise.join('\n');
	}

	/** The bytes that ask. One request at a time: the next one after the answer. */
	ask(op: string, request: Record<string, unknown>): Buffer {
		if (this.#open !== undefined) throw new RouseError('internal', `driver: ${op} while another request is open`);
		this.#open = ++this.#lastId;
		return Buffer.from(`${asciiJson({ ...request, id: this.#open, op })}\n`, 'ascii');
	}

	/** Takes what arrived, cut anywhere; gives the answer if it is whole now. Throws `protocol` for what is none. */
	push(bytes: Uint8Array): DriverAnswer | undefined {
		let answer: DriverAnswer | undefined;
		for (const line of this.#lines(bytes)) answer = this.#take(line) ?? answer;
		return answer;
	}

	#take(line: string): DriverAnswer | undefined {
		if (!this.#greeted) {
			if (line === this.#greeting) this.#greeted = true;
			else if (this.#noise.push(line) > maxNoiseLines)
				throw new RouseError('protocol', `what answers is no driver: ${excerpt(this.noise)}`);
			return undefined;
		}
		const answer = parseAnswer(line);
		if (answer.id !== this.#open)
			throw new RouseError('protocol', `driver: answer ${answer.id} while ${this.#open ?? 'none'} is open`);
		this.#open = undefined;
		return answer;
	}

	*#lines(bytes: Uint8Array): Iterable<string> {
		let rest = Buffer.from(bytes);
		for (let end = rest.indexOf(lineFeed); end >= 0; end = rest.indexOf(lineFeed)) {
			const line = Buffer.concat([...this.#parts, rest.subarray(0, end)]).toString('latin1');
			this.#parts = [];
			this.#pendingBytes = 0;
			rest = rest.subarray(end + 1);
			yield line.replace(/\r$/, ''); // Windows ends lines with both
		}
		if (rest.length > 0) this.#parts.push(rest);
		this.#pendingBytes += rest.length;
		if (this.#pendingBytes > maxLineBytes)
			throw new RouseError('protocol', `driver: a line of more than ${maxLineBytes} bytes`);
	}
}

/** JSON in which every character is ASCII: the code page of the other side does not matter. */
export function asciiJson(document: unknown): string {
	return JSON.stringify(document).replace(
		/[\u007f-\uffff]/g,
		unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
	);
}

function parseAnswer(line: string): DriverAnswer {
	let document: unknown;
	try {
		document = JSON.parse(line);
	} catch (cause) {
		throw new RouseError('protocol', `driver: not JSON: ${excerpt(line)}`, { cause });
	}
	const parsed = answerSchema.safeParse(document);
	if (parsed.success) return parsed.data;
	throw new RouseError('protocol', `driver: no answer: ${refusalText(parsed.error)}: ${excerpt(line)}`);
}

function excerpt(text: string): string {
	return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
