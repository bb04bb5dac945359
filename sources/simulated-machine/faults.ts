import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { type ErrorCode, errorCodes, isErrorCode, RouseError } from '../../model/errors.ts';
import { readJson, writeJson } from './files.ts';

/** Where a simulated source can fail: before it does the thing. */
export const faultPlaces = [
	'describe',
	'plan',
	'begin',
	/** Before a disk of the moment is copied. */
	'begin-disk',
	'ready',
	'open',
	/** Before each extent. */
	'extents',
	'read',
	'commit',
	'drop',
	'abandon',
] as const;
export type FaultPlace = (typeof faultPlaces)[number];

const faultSchema = z.strictObject({
	at: z.enum(faultPlaces),
	/** How often the place is passed before. */
	skip: z.int().min(0).default(0),
	/** How often it fails then. */
	times: z.int().min(1).default(1),
	/**
	 * A code is thrown. `lose-moment`: what is being read is gone. `lose-checkpoint`: what the platform kept for this import is gone.
	 * `pending`: of `ready` alone. `tell-secret`: as `source_unreachable`, with words that quote the credential, as clients of
	 * platforms do who print the request that failed. `throw-aside`: the same words printed, and thrown where nobody waits for them.
	 */
	does: z.union([
		z.enum(errorCodes),
		z.enum(['lose-moment', 'lose-checkpoint', 'pending', 'tell-secret', 'throw-aside']),
	]),
});
export type Fault = z.input<typeof faultSchema>;
type Does = z.output<typeof faultSchema>['does'];

const faultsSchema = z.array(faultSchema);

/** Faults that a simulated source is to have, in a file, so that it has them in whatever process it is. */
export class Faults {
	readonly #path: string;
	readonly #credential: string | undefined;
	#last: Promise<unknown> = Promise.resolve();

	constructor(path: string, credential?: string) {
		this.#path = path;
		this.#credential = credential;
	}

	async set(faults: readonly Fault[]): Promise<void> {
		await writeJson(this.#path, faults);
	}

	/** What is to happen at this place now, if anything. A code is thrown. */
	async at(place: FaultPlace): Promise<Exclude<Does, ErrorCode | 'tell-secret' | 'throw-aside'> | undefined> {
		const look = this.#last.then(() => this.#take(place));
		this.#last = look.catch(() => {}); // for who asked
		const does = await look;
		if (does === 'tell-secret') throw await this.#told();
		if (does === 'throw-aside') return this.#thrownAside();
		if (isErrorCode(does)) throw new RouseError(does, `a simulated source fails at ${place}`);
		return does;
	}

	async #told(): Promise<RouseError> {
		const secret = this.#credential === undefined ? '' : await readFile(this.#credential, 'utf8');
		const said = `GET /disks?key=${secret.trim()}: connection reset`;
		return new RouseError('source_unreachable', said, { cause: new Error(said), details: { said } });
	}

	async #thrownAside(): Promise<never> {
		const error = await this.#told();
		process.stdout.write(`${error.message}\n`);
		console.error(error.message);
		setImmediate(() => {
			throw error;
		});
		return new Promise(() => {});
	}

	async #take(place: FaultPlace): Promise<Does | undefined> {
		const faults = (await readJson(this.#path, faultsSchema)) ?? [];
		const next = faults.find(({ at }) => at === place);
		if (next === undefined) return undefined;
		const isNow = next.skip === 0;
		if (isNow) next.times -= 1;
		else next.skip -= 1;
		await this.set(faults.filter(({ times }) => times > 0));
		return isNow ? next.does : undefined;
	}
}
