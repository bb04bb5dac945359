import type { PacedRecovery } from './parts.ts';

type Copy = Pick<PacedRecovery, 'recoveryId' | 'seen'>;

/** How fast copies were since they were looked at last. */
export class CopySpeed {
	#before = new Map<string, number>();
	#atMs = 0;

	/** Of all together, in bytes a second. One that was not known before, or whose mover was started anew, counts from then. */
	since(copies: readonly Copy[], nowMs: number): number {
		const seconds = (nowMs - this.#atMs) / 1000;
		const now = new Map(copies.map(({ recoveryId, seen }) => [recoveryId, seen.migration?.writtenBytes ?? 0]));
		let bytes = 0;
		for (const [recoveryId, written] of now) bytes += Math.max(0, written - (this.#before.get(recoveryId) ?? written));
		this.#before = now;
		this.#atMs = nowMs;
		return seconds > 0 ? bytes / seconds : 0;
	}
}
