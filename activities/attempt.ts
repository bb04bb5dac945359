import { Context } from '@temporalio/activity';
import { interruptionOf, toFailure } from './failures.ts';

/** Often enough that a killed worker is noticed within the shortest heartbeat timeout (10 s) with room for a busy machine. */
const heartbeatEveryMs = 1_000;

export interface Attempt {
	/** Aborted when the attempt is cancelled, paused, timed out, or its worker shuts down. */
	signal: AbortSignal;
	/** Replaces what the next heartbeats carry. */
	report: (details: unknown) => void;
}

/** One attempt of an activity: heartbeats while `work` runs, and turns what it throws into what Temporal keeps. */
export async function attempt<T>(work: (attempt: Attempt) => Promise<T>): Promise<T> {
	const context = Context.current();
	let details: unknown = context.info.heartbeatDetails;
	const beat = setInterval(() => context.heartbeat(details), heartbeatEveryMs);
	const begin = performance.now();
	try {
		const result = await work({
			signal: context.cancellationSignal,
			report: now => {
				details = now;
				context.heartbeat(now);
			},
		});
		context.log.info('step is done', { durationMs: Math.round(performance.now() - begin) });
		return result;
	} catch (thrown) {
		throw interruptionOf(context) ?? toFailure(thrown);
	} finally {
		clearInterval(beat);
	}
}
