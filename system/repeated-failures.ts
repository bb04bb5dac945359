import { asRouseError } from '../model/errors.ts';

/**
 * For what is tried again for ever: a log gets each reason once, then with the tenth, the hundredth, the thousandth time,
 * so that months of it fill no disk and the newest log still tells of it.
 */
export class RepeatedFailures {
	readonly #known = new Map<string, { reason: string; times: number }>();

	/** `what`: the thing that failed, apart from others. Writes `error` and how often it came in a row, when it is due. */
	failed(what: string, error: unknown, write: (fields: { err: unknown; times: number }) => void): void {
		const { code, message } = asRouseError(error);
		const reason = `${code} ${message}`;
		const known = this.#known.get(what);
		const times = known?.reason === reason ? known.times + 1 : 1;
		this.#known.set(what, { reason, times });
		if (Number.isInteger(Math.log10(times))) write({ err: error, times });
	}

	/** It went well, or is no more: the next failure is news. */
	over(what: string): void {
		this.#known.delete(what);
	}
}
