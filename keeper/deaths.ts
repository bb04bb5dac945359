import { appendFile, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isErrno } from '../system/durable-file.ts';
import { places } from '../system/installation.ts';
import { type ServiceName, serviceNames } from './services.ts';

/** A service that ended although it was to run, as its keeper saw it. */
export interface ServiceDeath {
	/** When it was missed: within a quarter of a second. */
	at: string;
	name: ServiceName;
	pid: number;
	/** For how long the keeper had known it. */
	livedMs: number;
}

const deathSchema = z.object({
	at: z.iso.datetime(),
	name: z.enum(serviceNames),
	pid: z.int(),
	livedMs: z.number().min(0),
});

/** Some ten thousand deaths; then it is set aside, and the one that was set aside before goes. */
const logLimitBytes = 1024 * 1024;

const pathOf = (home: string) => join(places.services(home), 'deaths.jsonl');
const setAside = (path: string) => `${path}.1`;

/** Only the keeper of the installation writes. */
export async function recordDeath(home: string, death: ServiceDeath): Promise<void> {
	const path = pathOf(home);
	if ((await sizeOf(path)) > logLimitBytes) await rename(path, setAside(path));
	// First the end of a line that a crash may have cut off.
	await appendFile(path, `\n${JSON.stringify(death)}\n`, { mode: 0o600 });
}

/** Oldest first. A line that was cut off is left out. */
export async function readDeaths(home: string): Promise<ServiceDeath[]> {
	const path = pathOf(home);
	const text = `${await textOf(setAside(path))}\n${await textOf(path)}`;
	return text.split('\n').flatMap(line => parseLine(line) ?? []);
}

function parseLine(line: string): ServiceDeath | undefined {
	try {
		return deathSchema.safeParse(JSON.parse(line)).data;
	} catch {
		return undefined;
	}
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
