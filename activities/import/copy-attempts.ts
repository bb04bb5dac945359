import { asRouseError, RouseError } from '../../model/errors.ts';
import { type CopyBeat, copyBeatSchema, type ImportProgress } from '../../model/import-view.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { toFailure } from '../failures.ts';
import { failureInTurn } from './stalled.ts';

/** With five minutes between two a day; a time in which no worker was there to try counts for nothing. */
const mostInVain = 288;
/** Of those that have all sent to them anew, and paid for anew: where a link fails so often it will again. */
const mostAnew = 6;
/** So that whoever has to mend something first has nearly a day for it, as for others, and not the minutes that six of them take. */
const betweenAnewMs = 4 * 3_600_000;

/** Of a moment, what its copy can rely on. */
interface CopyKind {
	/** Nobody can go on where this one ends. */
	isOnly: boolean;
	/** Each has all of it sent anew. */
	isReadAnew: boolean;
	/** Others wait for its turn. */
	isInTurn: boolean;
}

/**
 * Whether an attempt of a copy is followed by another. What may pass is tried again, but not without end: who waits for a platform
 * that never comes back backs nothing up, and nobody is told. Where something was read that would have to be read again, what
 * somebody has to mend is waited for as well: a full disk, a secret that was exchanged, a file system that is mounted late.
 */
export class CopyAttempts {
	readonly #attempt: number;
	readonly #isOnly: boolean;
	readonly #isReadAnew: boolean;
	readonly #anewBefore: NonNullable<CopyBeat['anew']>;
	#beat: CopyBeat;

	/** `before`: what the attempts before have left in their heartbeats. */
	constructor(before: unknown, attempt: number, { isOnly, isReadAnew, isInTurn }: CopyKind) {
		this.#beat = copyBeatSchema.safeParse(before).data ?? { progress: null, furthestBytes: 0, furthestAttempt: 0 };
		this.#attempt = attempt;
		this.#isOnly = isOnly;
		this.#isReadAnew = isReadAnew;
		if (isInTurn) this.#beat.sinceMs ??= Date.now();
		this.#anewBefore = this.#beat.anew ?? { attempts: 0, readBytes: 0 };
	}

	/** Throws when none may read any more: one whose worker died has told nobody that it was the last. */
	begin(): void {
		if (this.#isSpent) throw this.#spent(new RouseError('import_failed', 'the last attempt was not heard of any more'));
	}

	/** What the first heartbeats carry. */
	get beat(): CopyBeat {
		return this.#beat;
	}

	/** What the next heartbeats carry. */
	told(progress: ImportProgress): CopyBeat {
		const { furthestBytes } = this.#beat;
		// What is zero, unchanged or known of an earlier attempt is passed without a read.
		const isFurther = progress.readBytes > 0 && progress.doneBytes > furthestBytes;
		this.#beat = isFurther
			? {
					...this.#beat,
					progress,
					furthestBytes: progress.doneBytes,
					furthestAttempt: this.#attempt,
					...(this.#beat.sinceMs === undefined ? {} : { sinceMs: Date.now(), inVain: 0 }),
				}
			: { ...this.#beat, progress };
		if (this.#isReadAnew && progress.readBytes > 0) {
			const { attempts, readBytes } = this.#anewBefore;
			this.#beat.anew = { attempts: attempts + 1, readBytes: readBytes + progress.readBytes };
		}
		return this.#beat;
	}

	failure(thrown: unknown): Error {
		const error = asRouseError(thrown);
		if (!this.#isWaitedFor(error)) return toFailure(error);
		if (this.#isSpent) return this.#spent(error);
		const inVain = (this.#beat.inVain ?? 0) + this.#attempt - this.#beat.furthestAttempt;
		if (inVain < mostInVain) return this.#passing(error, inVain);
		return last(error, `${inVain} attempts have come no further`, error.hint);
	}

	/** Followed by another: by one of its next turn, where others wait and it comes no further. */
	#passing(error: RouseError, inVain: number): Error {
		const isLater = this.#hasReadAnew && isForPerson(error);
		const pauseMs = isLater ? betweenAnewMs : undefined;
		const failure = toFailure(isLater ? later(error) : error, [error.retry], pauseMs);
		const { sinceMs, ...beat } = this.#beat;
		if (sinceMs === undefined) return failure;
		return failureInTurn(failure, { sinceMs, pauseMs, beat: { ...beat, furthestAttempt: 0, inVain } });
	}

	get #isSpent(): boolean {
		return (this.#beat.anew?.attempts ?? 0) >= mostAnew;
	}

	/** This one. What has read nothing costs nothing, and may be tried again soon. */
	get #hasReadAnew(): boolean {
		return (this.#beat.anew?.attempts ?? 0) > this.#anewBefore.attempts;
	}

	#spent(error: RouseError): Error {
		const { attempts = 0, readBytes = 0 } = this.#beat.anew ?? {};
		const how = `${attempts} attempts have read ${formatBytes(readBytes)} of its disks, each from the first byte on`;
		const hint = error.hint ?? 'look why processes or the link end';
		return last(
			error,
			how,
			`${hint}; and have what is fetched kept: \`spool: DIRECTORY\` of the source in config.yaml`,
		);
	}

	#isWaitedFor(error: RouseError): boolean {
		const { code, retry } = error;
		// By an attempt that came late, of a worker that stood still: Temporal has given it up, and nobody hears its answer.
		if (retry === 'transient' || code === 'import_superseded') return true;
		if (this.#isOnly || this.#beat.furthestBytes === 0) return false;
		// `internal`: what nobody has foreseen, as the words of a platform's library for a connection that was cut.
		return isForPerson(error) || code === 'internal';
	}
}

/** A file system that is not mounted among them. */
function isForPerson({ code, retry }: RouseError): boolean {
	return retry === 'person' || code === 'repository_missing';
}

/** Whoever looks why nothing moves, and has mended it, sees how long it stays so. */
function later({ code, message, hint, details, cause }: RouseError): RouseError {
	const how = `each attempt reads all of it anew: the next one begins in ${betweenAnewMs / 3_600_000} hours`;
	return new RouseError(code, `${message} (${how})`, { hint, details, cause });
}

/** What is followed by no other. */
function last({ code, message, details, cause }: RouseError, how: string, hint: string | undefined): Error {
	return toFailure(new RouseError(code, `${message} (${how})`, { hint, details, cause }), []);
}
