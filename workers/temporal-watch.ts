/** A worker that runs and does not reach Temporal looks as if all were well: it says so itself. */
import type { NativeConnection } from '@temporalio/worker';
import { asRouseError } from '../model/errors.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { RepeatedFailures } from '../system/repeated-failures.ts';

/** Shorter ones are what a server takes to be started again. */
const tellAfterMs = 3_000;
/** Workers and server are started at the same time, and the server is the slower one. */
const tellAtStartAfterMs = 20_000;

const askEveryMs = 1_000;
const answerWithinMs = 5_000;

export interface TemporalWatchOptions {
	/** `reason`: away since then; none: back. */
	record: (seen: { at: string; reason?: string }) => Promise<void>;
	log: Log;
	clock: Clock;
}

export class TemporalWatch {
	readonly #options: TemporalWatchOptions;
	#away: { at: string; sinceMs: number; told: boolean } | undefined;
	#everAnswered = false;
	readonly #failures = new RepeatedFailures();

	constructor(options: TemporalWatchOptions) {
		this.#options = options;
	}

	/** It does not answer, as was found out by an attempt that began at `beganMs` of the clock. */
	async failed(error: unknown, beganMs: number): Promise<void> {
		const { clock } = this.#options;
		const sinceMs = this.#away?.sinceMs ?? beganMs;
		const at = this.#away?.at ?? new Date(clock.date().getTime() - (clock.now() - beganMs)).toISOString();
		// One that failed late may have had its answer there in time: this process, or its whole machine, stood still.
		const again = this.#away !== undefined;
		const isDue = again && clock.now() - sinceMs >= (this.#everAnswered ? tellAfterMs : tellAtStartAfterMs);
		const told = this.#away?.told ?? false;
		this.#away = { at, sinceMs, told: told || (isDue && (await this.#record({ at, reason: reasonOf(error) }))) };
	}

	async answered(): Promise<void> {
		this.#everAnswered = true;
		if (this.#away?.told && !(await this.#record({ at: this.#options.clock.date().toISOString() }))) return;
		this.#away = undefined;
	}

	/** False when it could not be written, on a full disk: that is tried again, and ends no worker. */
	async #record(seen: { at: string; reason?: string }): Promise<boolean> {
		const { record, log } = this.#options;
		try {
			await record(seen);
			this.#failures.over('record');
			if (seen.reason === undefined) log.info('Temporal answers again');
			else log.warn({ since: seen.at, reason: seen.reason }, 'Temporal cannot be reached');
			return true;
		} catch (error) {
			this.#failures.failed('record', error, fields => log.error(fields, 'what Temporal does could not be recorded'));
			return false;
		}
	}
}

/** The SDK's own words for it are in the cause, as a rule: what gRPC says is all of one kind. */
function reasonOf(error: unknown): string {
	return asRouseError(error).message.split('\n')[0] ?? '';
}

/** Asks the server for what costs it nothing, until `signal` is aborted. */
export async function watchTemporal(
	connection: NativeConnection,
	watch: TemporalWatch,
	{ clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
	while (!signal.aborted) {
		const beganMs = clock.now();
		try {
			await connection.withAbortSignal(signal, () =>
				connection.withDeadline(Date.now() + answerWithinMs, () => connection.workflowService.getSystemInfo({})),
			);
			await watch.answered();
		} catch (error) {
			if (!signal.aborted) await watch.failed(error, beganMs);
		}
		await clock.delay(askEveryMs, signal).catch(() => undefined);
	}
}
