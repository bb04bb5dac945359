/**
 * What a call of Google came to. `unknown-caller`: no credentials, or none that are taken; `changed`: it is not what it was
 * called by; `range`: there are no such bytes; `cut`: its answer ended early, or stood still; `refused`: anything else that is no use
 * to try again.
 */
export type GoogleFaultKind =
	| 'denied'
	| 'unknown-caller'
	| 'missing'
	| 'changed'
	| 'range'
	| 'throttled'
	| 'unreachable'
	| 'cut'
	| 'refused';

/** Without what was thrown: that carries the request, and with it a token. */
export class GoogleFault extends Error {
	override readonly name = 'GoogleFault';
	readonly fault: GoogleFaultKind;
	/** The permission that the call needs. */
	readonly call: string;
	/** Google's or Node's word for it, or ours. */
	readonly word: string;
	/** What Google asks to wait. */
	readonly waitMs: number | undefined;

	constructor(
		fault: GoogleFaultKind,
		{ call, word, waitMs }: { call: string; word: string; waitMs?: number | undefined },
	) {
		super(`${call}: ${fault} (${word})`);
		this.fault = fault;
		this.call = call;
		this.word = word;
		this.waitMs = waitMs;
	}
}

/** What may hold anything is no word. */
export function isWord(text: unknown): text is string {
	return typeof text === 'string' && /^[A-Za-z][A-Za-z0-9._-]{0,59}$/.test(text);
}
