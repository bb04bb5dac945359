import type { ZodError } from 'zod';
import { refusalText } from './issue-text.ts';

/**
 * Every error a person or a program can meet, by a stable code. A code is never reused.
 *
 * `retry` says who can mend it: `transient` – trying again may help by itself; `permanent` – the same request will
 * fail again; `person` – somebody must repair something first, then the same request may succeed.
 * `exit` is the exit code of the command line (docs/cli.md).
 */
export type RetryClass = 'transient' | 'permanent' | 'person';

const table = {
	internal: { exit: 1, retry: 'permanent' },
	input_invalid: { exit: 1, retry: 'permanent' },
	usage: { exit: 2, retry: 'permanent' },
	config_invalid: { exit: 2, retry: 'permanent' },
	spec_invalid: { exit: 2, retry: 'permanent' },
	source_invalid: { exit: 1, retry: 'permanent' },
	import_failed: { exit: 1, retry: 'transient' },
	moment_lost: { exit: 1, retry: 'permanent' },
	checkpoint_lost: { exit: 1, retry: 'transient' },
	source_changed: { exit: 6, retry: 'permanent' },
	source_busy: { exit: 8, retry: 'transient' },
	tool_missing: { exit: 4, retry: 'person' },
	tool_failed: { exit: 1, retry: 'transient' },
	space_short: { exit: 4, retry: 'person' },
	precheck_failed: { exit: 4, retry: 'person' },
	access_denied: { exit: 4, retry: 'person' },
	machine_unknown: { exit: 5, retry: 'permanent' },
	point_unknown: { exit: 5, retry: 'permanent' },
	point_ambiguous: { exit: 5, retry: 'permanent' },
	host_unknown: { exit: 5, retry: 'permanent' },
	recovery_unknown: { exit: 5, retry: 'permanent' },
	batch_unknown: { exit: 5, retry: 'permanent' },
	drill_unknown: { exit: 5, retry: 'permanent' },
	import_unknown: { exit: 5, retry: 'permanent' },
	name_conflict: { exit: 6, retry: 'permanent' },
	point_exists: { exit: 6, retry: 'permanent' },
	import_superseded: { exit: 6, retry: 'permanent' },
	phase_wrong: { exit: 6, retry: 'permanent' },
	lock_held: { exit: 6, retry: 'transient' },
	identity_conflict: { exit: 6, retry: 'permanent' },
	generation_stale: { exit: 6, retry: 'permanent' },
	power_on_scheduled: { exit: 6, retry: 'person' },
	host_busy: { exit: 8, retry: 'transient' },
	broker_full: { exit: 8, retry: 'transient' },
	lease_ended: { exit: 6, retry: 'permanent' },
	place_unknown: { exit: 6, retry: 'permanent' },
	temporal_unreachable: { exit: 8, retry: 'transient' },
	worker_missing: { exit: 8, retry: 'transient' },
	supervisor_unreachable: { exit: 8, retry: 'transient' },
	mover_unreachable: { exit: 8, retry: 'transient' },
	source_unreachable: { exit: 8, retry: 'transient' },
	store_unreachable: { exit: 8, retry: 'transient' },
	protocol: { exit: 8, retry: 'transient' },
	chunk_bad: { exit: 9, retry: 'person' },
	chunk_missing: { exit: 9, retry: 'person' },
	format_damaged: { exit: 9, retry: 'person' },
	repository_missing: { exit: 10, retry: 'permanent' },
	repository_unknown: { exit: 10, retry: 'permanent' },
	repository_exists: { exit: 6, retry: 'permanent' },
	repository_unsupported: { exit: 10, retry: 'permanent' },
	parked: { exit: 11, retry: 'person' },
	host_rebooted: { exit: 1, retry: 'person' },
	not_ready: { exit: 1, retry: 'person' },
	drill_failed: { exit: 12, retry: 'person' },
	machine_failed: { exit: 1, retry: 'person' },
	hypervisor_failed: { exit: 1, retry: 'transient' },
	hypervisor_stuck: { exit: 1, retry: 'person' },
	io_failed: { exit: 1, retry: 'person' },
	timeout: { exit: 124, retry: 'transient' },
	interrupted: { exit: 130, retry: 'transient' },
} as const satisfies Record<string, { exit: number; retry: RetryClass }>;

export type ErrorCode = keyof typeof table;

export const errorCodes = Object.keys(table) as readonly ErrorCode[];

/** What crosses a process boundary (HTTP, Temporal, `--json`; its schema is in error-document.ts): no stack, no class. */
export interface ErrorDocument {
	code: ErrorCode;
	message: string;
	hint?: string | undefined;
	/** What a program can act on. `next`: an order of model/next.ts that helps. */
	details?: Record<string, string | number | boolean> | undefined;
}

export class RouseError extends Error {
	override readonly name = 'RouseError';
	readonly code: ErrorCode;
	/** What the reader can do next: a sentence or a command. */
	readonly hint: string | undefined;
	readonly details: Record<string, string | number | boolean> | undefined;

	constructor(
		code: ErrorCode,
		message: string,
		more: { hint?: string | undefined; cause?: unknown; details?: ErrorDocument['details'] } = {},
	) {
		super(message, more.cause === undefined ? undefined : { cause: more.cause });
		this.code = code;
		this.hint = more.hint;
		this.details = more.details;
	}

	get retry(): RetryClass {
		return table[this.code].retry;
	}

	get exitCode(): number {
		return table[this.code].exit;
	}

	toDocument(): ErrorDocument {
		return { code: this.code, message: this.message, hint: this.hint, details: this.details };
	}

	static fromDocument(document: ErrorDocument, cause?: unknown): RouseError {
		return new RouseError(document.code, document.message, {
			hint: document.hint,
			details: document.details,
			cause,
		});
	}
}

/** As error-document.ts has it, for who cannot load a library for that. */
export function isErrorDocument(value: unknown): value is ErrorDocument {
	if (typeof value !== 'object' || value === null) return false;
	const { code, message, hint, details }: Record<string, unknown> = { ...value };
	const isText = (text: unknown) => typeof text === 'string';
	const isDetail = (detail: unknown) => isText(detail) || typeof detail === 'boolean' || Number.isFinite(detail);
	const areDetails = typeof details === 'object' && details !== null && !Array.isArray(details);
	if (!isErrorCode(code) || !isText(message) || (hint !== undefined && !isText(hint))) return false;
	return details === undefined || (areDetails && Object.values(details).every(isDetail));
}

export function isErrorCode(value: unknown): value is ErrorCode {
	return typeof value === 'string' && Object.hasOwn(table, value);
}

export function retryClassOf(code: ErrorCode): RetryClass {
	return table[code].retry;
}

export function exitCodeOf(code: ErrorCode): number {
	return table[code].exit;
}

/**
 * Any thrown value as a RouseError. What is not one becomes what {@link fileError} makes of it, or `internal`, with the
 * original as its cause.
 */
export function asRouseError(thrown: unknown): RouseError {
	// Matched by code, not by instanceof: the workflow sandbox has a copy of this class of its own.
	if (thrown instanceof RouseError) return thrown;
	if (thrown instanceof Error) {
		const code = 'code' in thrown ? thrown.code : undefined;
		if (thrown.name === 'RouseError' && isErrorCode(code))
			return new RouseError(code, thrown.message, { cause: thrown });
		if (isZodError(thrown)) return new RouseError('internal', refusalText(thrown), { cause: thrown });
		return fileError(thrown) ?? new RouseError('internal', thrown.message, { cause: thrown });
	}
	return new RouseError('internal', String(thrown), { cause: thrown });
}

/** By its name: threads, which meet none, need not load the library. */
function isZodError(error: Error): error is ZodError {
	return error.name === 'ZodError' && 'issues' in error && Array.isArray(error.issues);
}

/**
 * What the operating system says of a file, by our codes: `space_short` when a file system or quota is full, `io_failed` for
 * the rest; undefined for what is no such error. `path`: of the file, which Node does not name once it is open.
 */
export function fileError(thrown: Error, path = stringIn(thrown, 'path')): RouseError | undefined {
	const errno = stringIn(thrown, 'code');
	const message = path === undefined || thrown.message.includes(path) ? thrown.message : `${path}: ${thrown.message}`;
	if (errno === 'ENOSPC' || errno === 'EDQUOT')
		return new RouseError('space_short', message, {
			cause: thrown,
			hint: path === undefined ? 'make room on that file system' : `make room on the file system of ${path}`,
		});
	if (errno === 'EFBIG')
		return new RouseError('io_failed', `${message}: the file system there has no files so large`, {
			cause: thrown,
			hint: 'use another file system: XFS has files of 8 EiB, ext4 of 16 TiB',
		});
	const syscall = stringIn(thrown, 'syscall');
	// A program that could not be started has a path as well: that of the program.
	const ofFile = syscall !== undefined && !syscall.startsWith('spawn') && path !== undefined;
	// Of a file that is open Node tells no path. That it is not, or was asked for nonsense, is a defect of ours.
	const ofOpenFile = openFileCalls.has(syscall ?? '') && errno !== 'EBADF' && errno !== 'EINVAL';
	if (!ofFile && !ofOpenFile && errno !== 'EIO' && errno !== 'EROFS') return undefined;
	const words = path === undefined ? undefined : pathWords[errno ?? '']?.(path);
	if (words) return new RouseError('io_failed', words.message, { cause: thrown, hint: words.hint });
	return new RouseError('io_failed', message, { cause: thrown, hint: 'look at the disk under this path' });
}

/** What whoever gave a path can mend; all else is for who knows errno(3). */
const pathWords: Readonly<Record<string, (path: string) => { message: string; hint: string }>> = {
	ENOENT: path => ({
		message: `there is no ${path}`,
		hint: 'look at the path, and whether its file system is mounted',
	}),
	ENOTDIR: path => ({ message: `there is no ${path}: a part of this path is no directory`, hint: 'look at the path' }),
	ENAMETOOLONG: path => ({
		message: `${path}: this name is too long for its file system`,
		hint: 'choose a shorter one',
	}),
	EISDIR: path => ({ message: `${path} is a directory`, hint: 'name a file' }),
	EACCES: path => ({
		message: `${path} may not be used by this user`,
		hint: `look at its rights and those of the directories above it: namei -l ${path}`,
	}),
	EPERM: path => ({
		message: `${path} may not be changed by this user`,
		hint: `look at whose it is: ls -ld ${path}`,
	}),
};

const openFileCalls = new Set(['fstat', 'ftruncate', 'fsync', 'fdatasync', 'fchmod', 'fchown', 'futime']);

function stringIn(error: Error, key: 'code' | 'path' | 'syscall'): string | undefined {
	const value: unknown = Reflect.get(error, key);
	return typeof value === 'string' ? value : undefined;
}
