/** A log for programs: a JSON document a line, appended by one process, bounded, and read by anybody. */
import { appendFile, readFile, rename, stat } from 'node:fs/promises';
import type * as z from 'zod';
import { isErrno } from './durable-file.ts';
import { jsonOf } from './json-of.ts';

/** Some ten thousand lines; then it is set aside, and what was set aside before goes. */
const limitBytes = 1024 * 1024;

const setAside = (path: string) => `${path}.1`;

export async function appendLine(path: string, document: unknown): Promise<void> {
	if ((await sizeOf(path)) > limitBytes) await rename(path, setAside(path));
	// First the end of a line that a crash may have cut off.
	await appendFile(path, `\n${JSON.stringify(document)}\n`, { mode: 0o600 });
}

/** Oldest first. A line that was cut off, or is of another kind, is left out. */
export async function readLines<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>[]> {
	const text = `${await textOf(setAside(path))}\n${await textOf(path)}`;
	return text.split('\n').flatMap(line => schema.safeParse(jsonOf(line)).data ?? []);
}

async function sizeOf(path: string): Promise<number> {
	return unlessMissing(async () => (await stat(path)).size, 0);
}

async function textOf(path: string): Promise<string> {
	return unlessMissing(() => readFile(path, 'utf8'), '');
}

async function unlessMissing<T>(look: () => Promise<T>, otherwise: T): Promise<T> {
	try {
		return await look();
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return otherwise;
		throw error;
	}
}
