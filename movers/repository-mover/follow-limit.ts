import { asRouseError, type RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { loadConfig } from '../../system/installation.ts';
import { readLimitOf } from '../../system/site.ts';
import type { SharedRate } from './shared-rate.ts';

const lookEveryMs = 2_000;

interface Followed {
	/** Of the installation whose config.yaml says the limit. */
	home: string;
	directory: string;
	clock: Clock;
	signal: AbortSignal;
	onFailure: (error: RouseError) => void;
}

/** Keeps to what config.yaml says at the time, until the signal aborts; while it cannot be read, to what it said before. */
export async function followLimit(rate: SharedRate, options: Followed): Promise<void> {
	const { home, directory, clock, signal, onFailure } = options;
	let failure: string | undefined;
	while (!signal.aborted) {
		try {
			rate.setRate(readLimitOf(await loadConfig({ home }), directory));
			failure = undefined;
		} catch (thrown) {
			const error = asRouseError(thrown);
			if (error.message !== failure) onFailure(error);
			failure = error.message;
		}
		await clock.delay(lookEveryMs, signal).catch((error: unknown) => {
			if (!signal.aborted) throw error;
		});
	}
}
