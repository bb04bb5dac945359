import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { places } from '../../system/installation.ts';
import { readDocument, writeDocument } from './document.ts';

/** Numbers are taken from the file for so long ahead: one that is asked for every two seconds is not written as often. */
const aheadMs = 10 * 60_000;

const numbersSchema = z.strictObject({
	version: z.literal(1),
	/** Every number that was ever given is below it. */
	below: z.int().min(1),
});

/**
 * Numbers of a host's reports on its capacities. They rise for good, over deaths and a clock that is set back; and with
 * the clock, so that a host whose files are new goes on above what is remembered of its name. What happens in
 * {@link between} is in none of the reports up to the number that it is told, and in all above.
 */
export class ReportNumbers {
	readonly #path: string;
	readonly #clock: Pick<Clock, 'date'>;
	#given: { last: number; below: number } | undefined;
	#turn: Promise<unknown> = Promise.resolve();

	constructor(home: string, clock: Pick<Clock, 'date'>) {
		this.#path = places.reportNumbers(home);
		this.#clock = clock;
	}

	/** The next number with what `look`, which waits for nothing, sees at that moment. */
	next<T>(look: (number: number) => T): Promise<T> {
		return this.#alone(async () => {
			const { last, below } = await this.#known();
			const number = Math.max(last + 1, this.#clock.date().getTime());
			if (number < below) this.#given = { last: number, below };
			else {
				// Before the number is given: who dies after that must not give it, or a lower one, again.
				await mkdir(dirname(this.#path), { recursive: true });
				await writeDocument(this.#path, numbersSchema, { version: 1, below: number + aheadMs });
				this.#given = { last: number, below: number + aheadMs };
			}
			return look(number);
		});
	}

	/** No number is given while `work` goes on; it is told the last one. */
	between<T>(work: (last: number) => Promise<T>): Promise<T> {
		return this.#alone(async () => work((await this.#known()).last));
	}

	async #known(): Promise<{ last: number; below: number }> {
		return (this.#given ??= await this.#read());
	}

	/** Without a file that can be read the clock alone counts: nothing of a recovery may end with it. */
	async #read(): Promise<{ last: number; below: number }> {
		try {
			const below = (await readDocument(this.#path, numbersSchema))?.below ?? 1;
			return { last: below - 1, below };
		} catch (error) {
			if (asRouseError(error).code !== 'format_damaged') throw error;
			return { last: 0, below: 1 };
		}
	}

	#alone<T>(work: () => Promise<T>): Promise<T> {
		const done = this.#turn.then(work);
		this.#turn = done.catch(() => undefined); // the caller of that one is told
		return done;
	}
}
