/**
 * From the latency of a datastore, seen every few seconds, to what copies may do there. Pure. Guests come first: what is
 * held back is held back at once, and let go step by step.
 */

export interface LatencyLimits {
	/** Above it no new copy begins. */
	readonly stopNewMs: number;
	/** Above it those that run are slowed. */
	readonly throttleMs: number;
}

export interface LatencySample {
	/** Null: it could not be seen. */
	readonly ms: number | null;
	/** What all copies together have written in a second, lately. */
	readonly copiedBytesPerSecond: number;
	readonly copies: number;
}

export interface Throttle {
	/** For all copies together; whole bytes, as whoever is told expects. */
	readonly bytesPerSecond: number;
	/** How fast they were when it began, in whole bytes: up to there they are let again. */
	readonly beforeBytesPerSecond: number;
	/** What was seen when they were slowed last. */
	readonly ms: number;
}

export interface LatencyState {
	/** As it was seen last. */
	readonly ms: number | null;
	/** Set while no new copy is to begin: the latency at which that began. */
	readonly stoppedNewAtMs: number | null;
	readonly throttle: Throttle | null;
	/** Samples in a row that were well below {@link LatencyLimits.stopNewMs}. */
	readonly calm: number;
	/** The same, of {@link LatencyLimits.throttleMs}. */
	readonly relaxed: number;
	/** Samples in a row in which nothing could be seen. */
	readonly blind: number;
	/** Samples in a row in which no copy was to begin, and none ran. */
	readonly still: number;
}

export const newLatencyState: LatencyState = {
	ms: null,
	stoppedNewAtMs: null,
	throttle: null,
	calm: 0,
	relaxed: 0,
	blind: 0,
	still: 0,
};

/** Only so far below a limit it counts as left behind: what swings about the limit is not let go and stopped in turn. */
const wellBelow = 0.8;
const calmBeforeNew = 2;
/** By the limit that slows, not the lower one: a datastore that is always between the two must not slow copies for good. */
const relaxedBeforeFull = 3;
/** A datastore that nobody can see any more must not hold copies back for good. */
const mostBlind = 6;
/** A datastore that is slow without any copy may be so for good, and its machines are to become local all the same: one by one. */
const mostStill = 60;
/** Of each copy, whatever the latency: it is to end some day. 100 GiB take 14 hours. */
export const leastBytesPerSecond = 2 * 1024 * 1024;
/** A part of the speed at which throttling began is added with each sample: after eight it is back. */
const stepsBack = 8;

export function afterSample(state: LatencyState, sample: LatencySample, limits: LatencyLimits): LatencyState {
	const { ms } = sample;
	if (ms === null) {
		const blind = state.blind + 1;
		return blind < mostBlind ? { ...state, ms, blind } : { ...newLatencyState, blind };
	}
	const calm = ms < wellBelow * limits.stopNewMs ? state.calm + 1 : 0;
	const relaxed = ms < wellBelow * limits.throttleMs ? state.relaxed + 1 : 0;
	const stoppedNewAtMs =
		ms > limits.stopNewMs ? (state.stoppedNewAtMs ?? ms) : calm < calmBeforeNew ? state.stoppedNewAtMs : null;
	return {
		ms,
		calm,
		relaxed,
		blind: 0,
		still: stoppedNewAtMs !== null && sample.copies === 0 ? state.still + 1 : 0,
		stoppedNewAtMs,
		throttle: throttleAfter(state.throttle, { ...sample, ms }, { ...limits, relaxed }),
	};
}

/** How many copies there may be while no new one is to begin, when none runs. */
export function leastCopies({ still }: LatencyState): 0 | 1 {
	return still < mostStill ? 0 : 1;
}

/** Halved while it is too slow, raised by equal steps when it is well again: additive increase, multiplicative decrease. */
function throttleAfter(
	known: Throttle | null,
	{ ms, copies, copiedBytesPerSecond }: LatencySample & { ms: number },
	{ throttleMs, relaxed }: LatencyLimits & { relaxed: number },
): Throttle | null {
	if (copies === 0) return null;
	const least = copies * leastBytesPerSecond;
	const rate = known?.bytesPerSecond ?? Number.POSITIVE_INFINITY;
	const before = known?.beforeBytesPerSecond ?? Math.max(least, Math.floor(copiedBytesPerSecond));
	if (ms > throttleMs) {
		// What they really do counts: the half of a rate that they do not come to would slow nobody.
		const halved = Math.min(rate, Math.max(least, copiedBytesPerSecond)) / 2;
		return { bytesPerSecond: Math.max(least, Math.floor(halved)), beforeBytesPerSecond: before, ms };
	}
	if (known === null || relaxed === 0) return known;
	if (rate >= before && relaxed >= relaxedBeforeFull) return null;
	const raised = rate + Math.max(least / 2, Math.ceil(before / stepsBack));
	return { ...known, bytesPerSecond: Math.max(least, Math.min(before, raised)) };
}
