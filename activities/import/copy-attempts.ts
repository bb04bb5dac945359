import { asRouseError, RouseError } from '../../model/errors.ts';
import { type CopyBeat, copyBeatSchema, type ImportProgress } from '../../model/import-view.ts';
import { toFailure } from '../failures.ts';

/** With five minutes between two a day; a time in which no worker was there to try counts for nothing. */
const mostInVain = 288;

/**
 * Whether an attempt of a copy is followed by another. What may pass is tried again, but not without end: who waits for a platform
 * that never comes back backs nothing up, and nobody is told. Where something was read that would have to be read again, what
 * somebody has to mend is waited for as well: a full disk, a secret that was exchanged, a file system that is mounted late.
 */
export class CopyAttempts {
	readonly #attempt: number;
	readonly #isOnly: boolean;
	#beat: CopyBeat;

	/** `before`: what the attempts before have left in their heartbeats; `isOnly`: nobody can go on where this one ends. */
	constructor(before: unknown, attempt: number, { isOnly }: { isOnly: boolean }) {
		this.#beat = copyBeatSchema.safeParse(before).data ?? { progress: null, furthestBytes: 0, furthestAttempt: 0 };
		this.#attempt = attempt;
		this.#isOnly = isOnly;
	}

	/** What the next heartbeats carry. */
	told(progress: ImportProgress): CopyBeat {
		const { furthestBytes } = this.#beat;
		// What is zero, unchanged or known of an earlier attempt is passed without a read.
		const isFurther = progress.readBytes > 0 && progress.doneBytes > furthestBytes;
		this.#beat = isFurther
			? { progress, furthestBytes: progress.doneBytes, furthestAttempt: this.#attempt }
			: { ...this.#beat, progress };
		return this.#beat;
	}

	failure(thrown: unknown): Error {
		const error = asRouseError(thrown);
		if (!this.#isWaitedFor(error)) return toFailure(error);
		const inVain = this.#attempt - this.#beat.furthestAttempt;
		if (inVain < mostInVain) return toFailure(error, [error.retry]);
		const { code, message, hint, details, cause } = error;
		const more = { hint, details, cause };
		return toFailure(new RouseError(code, `${message} (${inVain} attempts have come no further)`, more), []);
	}

	#isWaitedFor({ code, retry }: RouseError): boolean {
		// By an attempt that came late, of a worker that stood still: Temporal has given it up, and nobody hears its answer.
		if (retry === 'transient' || code === 'import_superseded') return true;
		if (this.#isOnly || this.#beat.furthestBytes === 0) return false;
		// `internal`: what nobody has foreseen, as the words of a platform's library for a connection that was cut.
		return retry === 'person' || code === 'repository_missing' || code === 'internal';
	}
}
