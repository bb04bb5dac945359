import { terminalJson, terminalLine } from '../../system/terminal-text.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from './format.ts';
import type { Sink } from './sink.ts';

export interface ProgressState {
	/** Bytes, unless `unit` says what is counted. */
	done: number;
	/** Absent while it is not known. */
	total?: number | undefined;
	unit?: string | undefined;
	/** A few words beside the numbers. */
	note?: string | undefined;
}

interface ProgressOptions {
	label: string;
	sink: Sink;
	json: boolean;
	silent: boolean;
	/** A terminal without a cursor that moves gets lines. */
	dumb?: boolean;
	/** Milliseconds of a clock that does not jump. */
	now?: () => number;
}

/** A terminal is drawn this often at most; everything else gets a line this often. */
const drawEveryMs = 100;
const lineEveryMs = 10_000;
/** A guess from less than this is noise. */
const etaAfterMs = 5_000;
const barWidth = 24;

/** A bar that redraws itself on a terminal, a line every ten seconds elsewhere, JSON lines with `--json`. */
export class Progress {
	readonly #options: ProgressOptions;
	readonly #now: () => number;
	readonly #live: boolean;
	readonly #startedAt: number;
	#shownAt: number;
	#drawn = false;
	#ended = false;
	#firstDone: number | undefined;

	constructor(options: ProgressOptions) {
		this.#options = options;
		this.#now = options.now ?? (() => performance.now());
		this.#live = options.sink.isTTY === true && !options.json && options.dumb !== true;
		this.#startedAt = this.#now();
		// The first line comes after ten seconds: short work says nothing.
		this.#shownAt = this.#live ? -Infinity : this.#startedAt;
	}

	/** Cheap: may be called for every chunk. */
	update(state: ProgressState): void {
		if (this.#options.silent || this.#ended) return;
		this.#firstDone ??= state.done;
		const now = this.#now();
		if (now - this.#shownAt < (this.#live ? drawEveryMs : lineEveryMs)) return;
		this.#shownAt = now;
		const { label, sink, json } = this.#options;
		if (json) sink.write(`${terminalJson(JSON.stringify({ type: 'progress', label, ...state }))}\n`);
		else if (this.#live) this.#draw(state);
		else sink.write(`${terminalLine(`${label}: ${this.#numbers(state)}`)}\n`);
	}

	/** Takes the bar off the screen so that something else can be written there. */
	clear(): void {
		if (!this.#drawn) return;
		this.#options.sink.write('\r\x1b[K');
		this.#drawn = false;
	}

	end(): void {
		this.clear();
		this.#ended = true;
	}

	#draw(state: ProgressState): void {
		const width = (this.#options.sink.columns ?? 80) - 1;
		const line = terminalLine(`${this.#options.label} ${bar(state)}${this.#numbers(state)}`);
		this.#options.sink.write(`\r\x1b[K${line.slice(0, width)}`);
		this.#drawn = true;
	}

	#numbers(state: ProgressState): string {
		const { done, total, unit, note } = state;
		const count = (n: number) => (unit === undefined ? formatBytes(n) : `${n} ${unit}`);
		const parts = [total ? `${percent(done, total)} % of ${count(total)}` : count(done)];
		// Before anything can be counted there is only what is being done.
		if (!total && done === 0 && note) return note;
		const left = this.#remainingMs(state);
		if (left !== undefined) parts.push(`about ${formatDuration(left)} left`);
		if (note) parts.push(note);
		return parts.join(', ');
	}

	#remainingMs({ done, total }: ProgressState): number | undefined {
		const elapsed = this.#now() - this.#startedAt;
		const moved = done - (this.#firstDone ?? done);
		if (total === undefined || moved <= 0 || elapsed < etaAfterMs) return undefined;
		return (elapsed / moved) * Math.max(0, total - done);
	}
}

function bar({ done, total }: ProgressState): string {
	if (!total) return '';
	const filled = Math.round(Math.min(1, done / total) * barWidth);
	return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] `;
}

function percent(done: number, total: number): number {
	return Math.min(100, Math.floor((done / total) * 100));
}
