import { join } from 'node:path';
import * as z from 'zod';
import { appendLine, readLines } from '../system/bounded-lines.ts';
import { places } from '../system/installation.ts';
import { type ServiceName, serviceNameSchema } from './services.ts';

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
	name: serviceNameSchema,
	pid: z.int(),
	livedMs: z.number().min(0),
});

const pathOf = (home: string) => join(places.services(home), 'deaths.jsonl');

/** Only the keeper of the installation writes. */
export async function recordDeath(home: string, death: ServiceDeath): Promise<void> {
	await appendLine(pathOf(home), death);
}

/** Oldest first. */
export async function readDeaths(home: string): Promise<ServiceDeath[]> {
	return readLines(pathOf(home), deathSchema);
}
