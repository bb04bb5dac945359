/** When workers of an installation ran and could not reach Temporal: written by each, read where people ask. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { appendLine, readLines } from './bounded-lines.ts';
import { isErrno } from './durable-file.ts';
import { places } from './installation.ts';
import { namesIn } from './names-in.ts';
import { processStartTicks } from './process-lock.ts';

export interface Outage {
	/** `host-worker`, `control-worker`; of one with several roles all of them. */
	worker: string;
	since: string;
	/** Undefined: the worker has never said that it was over. */
	until: string | undefined;
	reason: string;
	/** It lasts, and the worker runs. */
	current: boolean;
}

/** `reason`: since `at` Temporal is away; none: at that time it was back. */
const lineSchema = z.object({
	at: z.iso.datetime(),
	pid: z.int(),
	startTicks: z.string(),
	reason: z.string().optional(),
});
type Line = z.infer<typeof lineSchema>;

const ending = '-temporal.jsonl';
const pathOf = (home: string, worker: string) => join(places.services(home), `${worker}${ending}`);

/** Only the worker writes. */
export async function recordTemporal(
	home: string,
	worker: string,
	seen: Pick<Line, 'at' | 'reason'>,
	pid = process.pid,
): Promise<void> {
	await makeServices(home);
	const startTicks = (await processStartTicks(pid)) ?? '';
	await appendLine(pathOf(home, worker), { ...seen, pid, startTicks } satisfies Line);
}

/** Alone: of an installation that was removed nothing is made anew. A keeper has made it, where there is one. */
async function makeServices(home: string): Promise<void> {
	try {
		await mkdir(places.services(home), { mode: 0o700 });
	} catch (error) {
		if (!isErrno(error, 'EEXIST')) throw error;
	}
}

/** Of all workers, each's oldest first. */
export async function readOutages(home: string): Promise<Outage[]> {
	const found: Outage[] = [];
	for (const name of await namesIn(places.services(home))) {
		if (!name.endsWith(ending)) continue;
		const worker = name.slice(0, -ending.length);
		const lines = await readLines(pathOf(home, worker), lineSchema);
		for (const [index, line] of lines.entries()) {
			if (line.reason === undefined) continue;
			const { at: since, pid, startTicks, reason } = line;
			const next = lines.slice(index + 1).find(later => later.pid === pid && later.startTicks === startTicks);
			const current = next === undefined && (await processStartTicks(pid)) === startTicks;
			found.push({ worker, since, until: next?.at, reason, current });
		}
	}
	return found;
}
