/**
 * Logs that others write, kept bounded from outside: what a log has beyond its limit is set aside as an older one, and the
 * log is emptied under its writer. What is written in between the two is lost.
 *
 * Why so: movers, machines and services outlive whoever started them, so nobody of ours can stand in their output; a
 * process of its own in each pipe would cost more than many of them, and its death would end its writer (EPIPE) or stop it.
 * Emptying works since all of them append (O_APPEND, system/spawn-locked.ts): the next line goes to the new end. It is
 * looked at every few seconds, so that a log has its limit and what a writer makes in that time; while neither keeper nor
 * supervisor runs, nobody looks.
 */
import { appendFile, open, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, isSpaceShort } from './durable-file.ts';
import { namesIn } from './names-in.ts';

export const boundLogsEveryMs = 10_000;
const logLimitBytes = 8 * 1024 * 1024;
/** Kept in the log itself when there is no room for an older one. */
const tailBytes = 64 * 1024;

/** The older generation of a log. */
export function olderLog(path: string): string {
	return `${path}.1`;
}

/** Every log of a directory; none when that is not there. */
export async function boundLogs(directory: string, limitBytes = logLimitBytes): Promise<void> {
	for (const name of await namesIn(directory))
		if (name.endsWith('.log')) await boundLog(join(directory, name), limitBytes);
}

/** Leaves alone what is no file: a log that somebody led elsewhere. */
export async function boundLog(path: string, limitBytes = logLimitBytes): Promise<void> {
	try {
		const found = await stat(path);
		if (!found.isFile() || found.size <= limitBytes) return;
		const tail = await setAside(path, found.size, limitBytes);
		await truncate(path, 0);
		if (tail) await appendFile(path, tail);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error; // its recovery ended meanwhile
	}
}

/** The newest of it as the older log; on a full disk its last lines, to be kept otherwise. */
async function setAside(path: string, sizeBytes: number, limitBytes: number): Promise<Buffer | undefined> {
	const log = await open(path, 'r');
	const older = olderLog(path);
	try {
		await rm(older, { force: true }); // its room is needed
		const into = await open(older, 'w', 0o600);
		try {
			// What comes meanwhile as well, but not for as long as a fast writer writes.
			const range = { start: sizeBytes - limitBytes, end: sizeBytes + limitBytes };
			for await (const part of log.createReadStream({ ...range, autoClose: false })) await into.writeFile(part);
		} finally {
			await into.close();
		}
		return undefined;
	} catch (error) {
		if (!isSpaceShort(error)) throw error;
		await rm(older, { force: true });
		const tail = Buffer.alloc(Math.min(tailBytes, sizeBytes));
		const { bytesRead } = await log.read(tail, 0, tail.length, sizeBytes - tail.length);
		return tail.subarray(0, bytesRead);
	} finally {
		await log.close();
	}
}
