import { RepeatedFailures } from '../../system/repeated-failures.ts';
import { paceOf, paces } from './copy-pace.ts';
import { CopySpeed } from './copy-speed.ts';
import type { FollowedConfig } from './followed-config.ts';
import {
	afterSample,
	type LatencyLimits,
	type LatencySample,
	type LatencyState,
	leastCopies,
	newLatencyState,
} from './latency-control.ts';
import { SlowedNews } from './slowed-news.ts';
import type { PaceParts, PacedRecovery } from './parts.ts';

/** What is known of the datastore, for people and for the broker. */
export interface DatastoreView {
	source: string;
	latencyMs: number | null;
	/** Why no new copy is to begin. */
	stopsNew: string | null;
	/** What all copies may write in a second because of it. */
	copyBytesPerSecond: number | null;
}

/** How fast the copies of this host may be, so that its guests come first. */
export class Pace {
	readonly #host: Pick<PaceParts, 'clock' | 'log' | 'latency'>;
	readonly #config: FollowedConfig;
	readonly #speed = new CopySpeed();
	readonly #news: SlowedNews;
	readonly #failures = new RepeatedFailures();
	#state: LatencyState = newLatencyState;
	#source: string | undefined;
	#limits: LatencyLimits | undefined;
	#sampleAtMs = Number.NEGATIVE_INFINITY;
	#sampling = false;

	constructor(host: Pick<PaceParts, 'clock' | 'log' | 'latency'>, config: FollowedConfig) {
		this.#host = host;
		this.#config = config;
		this.#news = new SlowedNews(host);
	}

	/** One look at all recoveries of the host: each is told its pace. Waits for no disk. */
	async look(recoveries: readonly PacedRecovery[]): Promise<void> {
		const config = await this.#config.now();
		if (config === undefined) return;
		const { latency } = config.host;
		const copies = recoveries.filter(isCopying);
		if (latency === 'off') this.#forget();
		else {
			this.#limits = latency;
			if (this.#host.clock.now() >= this.#sampleAtMs) void this.#sample(copies);
		}
		const { throttle } = this.#state;
		const host = { latency: throttle && { ...throttle, limitMs: this.#limits?.throttleMs ?? 0 }, config };
		const shares = paces(host, copies);
		for (const recovery of recoveries) recovery.pace = shares.get(recovery) ?? paceOf(host, copies, recovery);
		void this.#news.tell(copies, throttle); // a line that cannot be written holds up nothing
	}

	get datastore(): DatastoreView | null {
		if (this.#source === undefined) return null;
		const { ms, throttle } = this.#state;
		return {
			source: this.#source,
			latencyMs: ms,
			stopsNew: this.noNewCopies?.why ?? null,
			copyBytesPerSecond: throttle?.bytesPerSecond ?? null,
		};
	}

	/** Why no copy is to begin beside those that run, and how many there may be all the same; null: they may. */
	get noNewCopies(): { why: string; least: 0 | 1 } | null {
		const { stoppedNewAtMs } = this.#state;
		if (this.#source === undefined || stoppedNewAtMs === null) return null;
		const least = leastCopies(this.#state);
		const above = `the datastore was at ${Math.round(stoppedNewAtMs)} ms, above ${this.#limits?.stopNewMs ?? 0} ms`;
		return { why: `${above}: ${least === 0 ? 'no new migration' : 'one migration at a time'}`, least };
	}

	#forget(): void {
		this.#state = newLatencyState;
		this.#source = this.#limits = undefined;
	}

	async #sample(copies: readonly PacedRecovery[]): Promise<void> {
		const { clock, latency, log } = this.#host;
		this.#sampleAtMs = clock.now() + latency.everyMs;
		const copiedBytesPerSecond = this.#speed.since(copies, clock.now());
		if (this.#sampling) {
			// A look that hangs in the kernel sees nothing: what it saw last must not hold copies back until it comes back.
			if (this.#limits) this.#take({ ms: null, copiedBytesPerSecond, copies: copies.length }, this.#limits);
			return;
		}
		this.#sampling = true;
		try {
			const seen = await latency.look();
			this.#failures.over('latency');
			const limits = this.#limits;
			if (limits === undefined) return; // turned off meanwhile
			this.#source = seen?.source ?? this.#source;
			this.#take({ ms: seen?.ms ?? null, copiedBytesPerSecond, copies: copies.length }, limits);
		} catch (error) {
			this.#failures.failed('latency', error, fields =>
				log.warn(fields, 'the latency of the datastore cannot be seen'),
			);
			if (this.#limits) this.#take({ ms: null, copiedBytesPerSecond, copies: copies.length }, this.#limits);
		} finally {
			this.#sampling = false;
		}
	}

	#take(sample: LatencySample, limits: LatencyLimits): void {
		const before = this.#state;
		this.#state = afterSample(before, sample, limits);
		const { ms, stoppedNewAtMs, throttle } = this.#state;
		if ((before.stoppedNewAtMs === null) !== (stoppedNewAtMs === null))
			this.#host.log.info(
				{ ms, stopNewMs: limits.stopNewMs },
				stoppedNewAtMs === null ? 'new copies may begin again' : 'no new copy is to begin',
			);
		if ((before.throttle === null) !== (throttle === null))
			this.#host.log.info(
				{ ms, throttleMs: limits.throttleMs, throttle },
				throttle === null ? 'copies are not slowed any more' : 'copies are slowed',
			);
	}
}

function isCopying({ seen, tombstone }: PacedRecovery): boolean {
	return tombstone === undefined && (seen.migration?.copying ?? false);
}
