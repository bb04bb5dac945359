import type { RouseError } from '../../model/errors.ts';
import { terminalJson, terminalText } from '../../system/terminal-text.ts';
import { withCommand } from './called-as.ts';
import { LiveScreen } from './live-screen.ts';
import { Progress } from './progress.ts';
import type { Sink } from './sink.ts';

export interface OutputOptions {
	stdout: Sink;
	stderr: Sink;
	json: boolean;
	quiet: boolean;
	/** The terminal cannot move its cursor (TERM=dumb). */
	dumb?: boolean;
	/** How Rouse was called: its commands in sentences begin with that. */
	command?: string;
	/** Stacks and causes are printed with errors. */
	debug: boolean;
}

/**
 * Results on stdout; messages, progress and errors on stderr. With `--json` both are JSON, one document a line. Nothing that
 * was written by others steers the terminal: see system/terminal-text.ts.
 */
export class Output {
	readonly json: boolean;
	readonly #options: OutputOptions;
	#progress: Progress | undefined;

	constructor(options: OutputOptions) {
		this.json = options.json;
		this.#options = options;
	}

	/** Of the terminal that reads the answer; undefined where none does. */
	get columns(): number | undefined {
		const { stdout } = this.#options;
		return stdout.isTTY === true ? (stdout.columns ?? 80) : undefined;
	}

	/** The answer of a command: `document` with `--json`, else `text`. */
	result(document: object, text: string): void {
		this.#answer(document, text);
	}

	/** One of several answers of long work. */
	event(document: { type: string; [field: string]: unknown }, text: string): void {
		this.#answer(document, text);
	}

	/** What a person may like to know on the way; not part of the answer. */
	message(message: string): void {
		if (this.#options.quiet) return;
		this.#say(this.json ? jsonLine({ type: 'message', message }) : message);
	}

	/** Said even with `--quiet`: something is not as it should be, but the work goes on. */
	warn(message: string): void {
		this.#say(this.json ? jsonLine({ type: 'warning', message }) : `warning: ${message}`);
	}

	/** One at a time; `end` it before starting the next. */
	progress(label: string): Progress {
		this.#progress?.end();
		const { stderr, quiet, dumb = false } = this.#options;
		this.#progress = new Progress({ label, sink: stderr, json: this.json, silent: quiet, dumb });
		return this.#progress;
	}

	/** For what is drawn again and again where the answer is read on a terminal; undefined elsewhere. */
	live(): LiveScreen | undefined {
		const { stdout, json, dumb = false } = this.#options;
		return stdout.isTTY === true && !json && !dumb ? new LiveScreen(stdout, text => this.#asCalled(text)) : undefined;
	}

	error(error: RouseError, exitCode: number, hint = error.hint): void {
		this.#progress?.end();
		const { code, message, details } = error.toDocument();
		const stack = this.#options.debug ? stackOf(error) : undefined;
		if (this.json) {
			this.#say(jsonLine({ type: 'error', code, message, hint: hint ?? '', exitCode, details, stack }));
			return;
		}
		this.#say(`error: ${message}${hint ? `\n${hint}` : ''}`);
		if (stack !== undefined) this.#say(stack);
		else if (code === 'internal') this.#say('This is a defect of Rouse. The same command with --debug shows where.');
	}

	#answer(document: object, text: string): void {
		this.#progress?.clear();
		this.#options.stdout.write(`${this.json ? jsonLine(document) : terminalText(this.#asCalled(text))}\n`);
	}

	#asCalled(text: string): string {
		return withCommand(text, this.#options.command ?? 'rouse');
	}

	#say(line: string): void {
		this.#progress?.clear();
		this.#options.stderr.write(`${terminalText(this.json ? line : this.#asCalled(line))}\n`);
	}
}

function jsonLine(document: object): string {
	return terminalJson(JSON.stringify(document));
}

function stackOf(error: unknown): string {
	const lines: string[] = [];
	for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
		lines.push(cause.stack ?? cause.message);
	return lines.join('\ncaused by: ');
}
