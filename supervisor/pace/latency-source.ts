import { type Config, type Installation, places } from '../../system/installation.ts';
import { systemClock } from '../../system/clock.ts';
import { DatastoreLatency, type SeenLatency } from './datastore-latency.ts';

/** How long reads and writes take where targets and overlays lie. */
export interface LatencySource {
	readonly everyMs: number;
	/** Since the last look. Undefined: nothing is known yet, or nothing can be. */
	look(): Promise<SeenLatency | undefined>;
}

const everyMs = 10_000;

export const noLatency: LatencySource = { everyMs, look: async () => undefined };

/**
 * Of the file system of this installation's recoveries. On a Hyper-V host they lie on the Windows side, of which nobody here
 * sees a latency. `ROUSE_TEST_LATENCY=off`: nobody looks, so that tests do not depend on how busy the disks of a machine are.
 */
export function latencySource(
	{ home }: Pick<Installation, 'home'>,
	{ host: { kind } }: Pick<Config, 'host'>,
	env: NodeJS.ProcessEnv = process.env,
): LatencySource {
	if (kind !== 'qemu' || env['ROUSE_TEST_LATENCY'] === 'off') return noLatency;
	const datastore = new DatastoreLatency(places.recoveries(home), places.latencyProbe(home), systemClock);
	return { everyMs, look: () => datastore.look() };
}
