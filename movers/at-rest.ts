import type { Clock } from '../system/clock.ts';

const lookMs = 5_000;
/** So many looks in a row must find it quiet: one that reads now and then would be held up again and again. */
const looks = 2;
/** Of one processor: less than what a few reads in a second take. */
const quietShare = 0.02;

export interface MemoryAtRest {
	/** Lets go of what was kept to be used again. */
	letGo: () => void;
	clock: Pick<Clock, 'delay'>;
	/** Processor time of the whole process up to now, in microseconds. */
	used?: () => number;
	collect?: () => void;
}

/**
 * Gives back the memory of a mover that was busy and has little to do now: by itself V8 collects only when more is asked for, which
 * may be never. Once each time, since it holds up whoever reads then. Goes on for ever.
 */
export async function giveBackAtRest({
	letGo,
	clock,
	used = usedByProcess,
	collect = collectGarbage,
}: MemoryAtRest): Promise<never> {
	for (let quiet = 0, before = used(); ; before = used()) {
		await clock.delay(lookMs);
		quiet = used() - before < lookMs * 1000 * quietShare ? quiet + 1 : 0;
		if (quiet !== looks) continue;
		letGo();
		collect();
	}
}

function usedByProcess(): number {
	const { user, system } = process.cpuUsage();
	return user + system;
}

/** The most that can be had, of code that has not run lately as well. Without --expose-gc (system/node-options.ts) nothing. */
function collectGarbage(): void {
	globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
