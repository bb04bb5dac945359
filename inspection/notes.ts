import { asRouseError } from '../model/errors.ts';
import { shortened } from '../model/printable-text.ts';

const mostNotes = 16;
/** As a manifest takes it: model/boot-facts.ts. */
const mostCharacters = 200;

/** What was not looked at and why, a line each. */
export class Notes {
	readonly #lines: string[] = [];
	readonly #failures: string[] = [];
	readonly #told = new Set<string>();
	readonly #signal: AbortSignal;

	constructor(signal: AbortSignal) {
		this.#signal = signal;
	}

	get lines(): readonly string[] {
		return this.#lines;
	}

	/** Those of what looks damaged, or was too much; the others are of what nobody reads here. */
	get failures(): readonly string[] {
		return this.#failures;
	}

	/** Once for each reason at a place: a folder that is damaged is so for all files in it. */
	fail(what: string, where: string, error: unknown): void {
		const why = asRouseError(error).message;
		const key = `${where}: ${why}`;
		if (this.#told.has(key)) return;
		this.#told.add(key);
		const line = this.add(where === '' ? what : `${what} on ${where}`, why);
		if (line !== undefined) this.#failures.push(line);
	}

	/** The line, unless it is there already or there are enough. */
	add(what: string, why: string): string | undefined {
		const short = shortened(`${what}: ${why}`.replaceAll(/\p{C}/gu, '?'), mostCharacters);
		if (this.#lines.length >= mostNotes || this.#lines.includes(short)) return undefined;
		this.#lines.push(short);
		return short;
	}

	/** Undefined, and a line, when it throws; the signal's reason goes on. */
	async unlessUnreadable<T>(what: string, where: string, look: () => Promise<T>): Promise<T | undefined> {
		try {
			return await look();
		} catch (error) {
			this.#signal.throwIfAborted();
			this.fail(what, where, error);
			return undefined;
		}
	}
}
