import { terminalText } from '../../system/terminal-text.ts';
import type { Sink } from './sink.ts';

/** A text of several lines on a terminal that stands in place of the one before it. */
export class LiveScreen {
	readonly #sink: Sink;
	readonly #asCalled: (text: string) => string;
	#drawnLines = 0;

	/** `asCalled`: commands in sentences as Rouse was called. */
	constructor(sink: Sink, asCalled: (text: string) => string) {
		this.#sink = sink;
		this.#asCalled = asCalled;
	}

	get rows(): number {
		return this.#sink.rows ?? 24;
	}

	get columns(): number {
		return this.#sink.columns ?? 80;
	}

	/** Cuts what is wider than the terminal: a line that wraps would not be found again. */
	draw(text: string): void {
		const lines = terminalText(this.#asCalled(text))
			.split('\n')
			.slice(0, Math.max(1, this.rows - 1))
			.map(line => line.slice(0, this.columns - 1));
		this.#sink.write(`${this.#back()}${lines.map(line => `${line}\n`).join('')}`);
		this.#drawnLines = lines.length;
	}

	clear(): void {
		this.#sink.write(this.#back());
		this.#drawnLines = 0;
	}

	/** Up to where it began (CUU), and all away from there on (ED): ECMA-48, sections 8.3.22 and 8.3.39. */
	#back(): string {
		return this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A\u001b[J`;
	}
}
