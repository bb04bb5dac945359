import { setTimeout as delay } from 'node:timers/promises';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';

/** Somebody looks whether it still lives; and a timer waits for 24 days at most. */
const waitsMs = 60_000;

interface PaceOptions {
	/** Called now and then while it waits for its rate, and while a source lists what there is to be read. */
	onWait?: () => void;
	toldEveryMs?: number;
}

/** What an import reads of its source: counted, and no more in a second than was said. */
export class ReadPace {
	readonly #rateBytes: number | null;
	readonly #onWait: () => void;
	readonly #toldEveryMs: number;
	#readBytes = 0;
	/** When what was read so far may have been read. */
	#freeMs = 0;
	#last: Promise<void> = Promise.resolve();
	#toldMs = performance.now();

	/** `rateBytes`: of all its disks together; null: without a limit. */
	constructor(rateBytes: number | null, { onWait = () => {}, toldEveryMs = waitsMs }: PaceOptions = {}) {
		this.#rateBytes = rateBytes;
		this.#onWait = onWait;
		this.#toldEveryMs = toldEveryMs;
	}

	get readBytes(): number {
		return this.#readBytes;
	}

	of(source: DiskSource): DiskSource {
		return {
			sizeBytes: source.sizeBytes,
			baseDisk: source.baseDisk,
			access: source.access,
			missing: source.missing,
			extents: signal => this.#listed(source, signal),
			read: async (offsetBytes, into, signal) => {
				await this.#turn(into.length, signal);
				await source.read(offsetBytes, into, signal);
				this.#readBytes += into.length;
			},
			checkUnchanged: async signal => source.checkUnchanged?.(signal),
			close: () => source.close(),
		};
	}

	/** A platform may list for hours what is all unchanged, or nothing at all. */
	async *#listed(source: DiskSource, signal: AbortSignal): AsyncGenerator<SourceExtent> {
		const onListed = () => {
			if (performance.now() - this.#toldMs < this.#toldEveryMs) return;
			this.#toldMs = performance.now();
			this.#onWait();
		};
		for await (const extent of source.extents(signal, onListed)) {
			onListed();
			yield extent;
		}
	}

	/** One after the other: a source is promised that reads begin in ascending order, and timers promise nothing. */
	async #turn(bytes: number, signal: AbortSignal): Promise<void> {
		if (this.#rateBytes === null) return;
		const turn = this.#after(this.#last, (bytes / this.#rateBytes) * 1000, signal);
		this.#last = turn.catch(() => {}); // for who waits for it
		await turn;
	}

	async #after(before: Promise<void>, takesMs: number, signal: AbortSignal): Promise<void> {
		await before;
		const now = performance.now();
		const from = Math.max(now, this.#freeMs);
		this.#freeMs = from + takesMs;
		for (let leftMs = from - now; leftMs > 0; leftMs = from - performance.now()) {
			await delay(Math.min(leftMs, this.#toldEveryMs), undefined, { signal });
			if (leftMs > this.#toldEveryMs) this.#onWait();
		}
	}
}
