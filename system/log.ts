import { writeSync } from 'node:fs';
import { types } from 'node:util';
import { type Logger, pino, type LoggerOptions } from 'pino';
import { RouseError } from '../model/errors.ts';
import { terminalJson } from './terminal-text.ts';

/**
 * JSON, a document a line: `time`, `level`, `service`, `pid`, `msg`, and where they are known `recovery` (its name),
 * `recoveryId`, `disk`, `step`, `generation` and `attempt`. Whoever works for one of them takes a child:
 * `log.child({ recovery, disk })`.
 */
export type Log = Logger;

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * The log of a process, on standard error, which whoever starts it leads to a file. ROUSE_LOG is the lowest level that
 * is written. A line that cannot be written is lost: no process ends, or waits, because of its log.
 */
export function createLog(
	service: string,
	{ level = process.env['ROUSE_LOG'] || 'info', write = toStandardError } = {},
): Log {
	const options: LoggerOptions = {
		level: levels.includes(level) ? level : 'info',
		base: { service, pid: process.pid },
		timestamp: pino.stdTimeFunctions.isoTime,
		formatters: { level: label => ({ level: label }) },
		serializers: { err: describeError, error: describeError },
	};
	const log = pino(options, unlessItFails(write));
	if (!levels.includes(level)) log.warn({ level, known: levels }, 'ROUSE_LOG is none of the levels; info is taken');
	return log;
}

/** At once, so that the last line before an end is there. */
function toStandardError(bytes: Uint8Array): number {
	return writeSync(2, bytes);
}

/** Instead of pino's own destination, which ends the process when the disk is full. `write` says how much it wrote. */
function unlessItFails(write: (bytes: Uint8Array) => number): { write: (line: string) => void } {
	let cut = false;
	return {
		write: line => {
			try {
				// A line that a full disk cut off is not to swallow this one.
				const whole = terminalJson(line); // a person reads it with cat
				const bytes = Buffer.from(cut ? `\n${whole}` : whole);
				cut = write(bytes) < bytes.length;
			} catch {
				// ENOSPC, EIO, EPIPE, EAGAIN of a pipe that nobody empties: there is nobody left to tell.
			}
		},
	};
}

/** Longer chains are of errors that are their own cause. */
const causes = 5;

/** Also of an error of the workflow sandbox, whose classes are not ours. What else a library hangs on it stays out. */
function describeError(thrown: unknown, left = causes): unknown {
	if (!types.isNativeError(thrown)) return thrown;
	const { name, stack, cause } = thrown;
	return {
		name,
		...(thrown instanceof RouseError ? thrown.toDocument() : { code: codeOf(thrown), message: thrown.message }),
		stack,
		...(cause === undefined || left === 0 ? {} : { cause: describeError(cause, left - 1) }),
	};
}

/** Of Node's errors; an ApplicationFailure of Temporal has ours as its type. */
function codeOf(error: Error): unknown {
	if ('code' in error) return error.code;
	return 'type' in error ? error.type : undefined;
}
