import { formatBytes } from '../../model/format-bytes.ts';
import type { Throttle } from './latency-control.ts';
import type { PaceParts, PacedRecovery } from './parts.ts';

type Told = Pick<PacedRecovery, 'recoveryId' | 'incidents' | 'name'>;

/** A datastore may be at its limit for days: so often at most a recovery's log gets a line of it. */
const everyMs = 10 * 60_000;

/** Tells the incidents of copies when they begin to be slowed, and when that is over. */
export class SlowedNews {
	readonly #host: Pick<PaceParts, 'clock' | 'log'>;
	/** By recovery: when it was told last that it is slowed, and whether that still stands. */
	readonly #told = new Map<string, { atMs: number; slowed: boolean }>();

	constructor(host: Pick<PaceParts, 'clock' | 'log'>) {
		this.#host = host;
	}

	async tell(copies: readonly Told[], throttle: Throttle | null): Promise<void> {
		const now = this.#host.clock.now();
		const there = new Set(copies.map(({ recoveryId }) => recoveryId));
		for (const [recoveryId, { slowed, atMs }] of this.#told)
			if (!there.has(recoveryId) && (!slowed || now - atMs >= everyMs)) this.#told.delete(recoveryId);
		for (const copy of copies) {
			const known = this.#told.get(copy.recoveryId);
			if (throttle === null && known?.slowed) {
				this.#told.set(copy.recoveryId, { ...known, slowed: false });
				await this.#add(
					copy,
					'copy_at_full_speed',
					'the datastore answers fast enough: the copy is not slowed any more',
				);
			} else if (throttle !== null && !known?.slowed && now - (known?.atMs ?? Number.NEGATIVE_INFINITY) >= everyMs) {
				this.#told.set(copy.recoveryId, { atMs: now, slowed: true });
				const rate = formatBytes(throttle.bytesPerSecond);
				await this.#add(
					copy,
					'copy_slowed',
					`the datastore was at ${Math.round(throttle.ms)} ms: all copies together may write ${rate}/s`,
				);
			}
		}
	}

	/** A line that cannot be written must not keep the copies from their pace. */
	async #add({ incidents, name }: Told, kind: string, message: string): Promise<void> {
		try {
			await incidents.add(kind, message);
		} catch (error) {
			this.#host.log.warn({ err: error, recovery: name, kind }, 'not in the incidents');
		}
	}
}
