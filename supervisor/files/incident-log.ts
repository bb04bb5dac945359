import { open, readFile } from 'node:fs/promises';
import { lastIncidents, shortMessage } from '../../model/incidents.ts';
import { type Incident, incidentSchema } from '../../model/recovery.ts';
import { isErrno, ofMedium, replaceFileDurably } from '../../system/durable-file.ts';
import { jsonOf } from '../../system/json-of.ts';

/** A file that has grown to this is written anew, with the newest alone: a recovery may last for months. */
const fileLimitBytes = 1024 * 1024;
const keptIncidents = 1_000;

/**
 * The incident log of one recovery: one JSON line for each thing that happened, appended; of two lines with the same
 * sequence the later counts, which is how "and again" is written without rewriting what is there. Bounded: the oldest go.
 */
export class IncidentLog {
	readonly #path: string;
	readonly #now: () => Date;
	#incidents: Incident[] | undefined;
	#fileBytes = 0;
	#closed = false;
	/** Appends come one after the other, whoever asks. */
	#last: Promise<unknown> = Promise.resolve();

	constructor(path: string, now: () => Date) {
		this.#path = path;
		this.#now = now;
	}

	add(kind: string, message: string): Promise<void> {
		const added = this.#last.then(() => this.#append(kind, shortMessage(message)));
		this.#last = added.catch(() => undefined); // the caller of that one is told
		return added;
	}

	async after(sequence: number): Promise<Incident[]> {
		await this.#last;
		return (await this.#load()).filter(incident => incident.sequence > sequence);
	}

	async highest(): Promise<number> {
		return (await this.#load()).at(-1)?.sequence ?? 0;
	}

	/** The recovery is over and its tombstone has what was logged: nothing is added any more, nor made anew. */
	async close(): Promise<void> {
		this.#closed = true;
		await this.#last;
	}

	async #append(kind: string, message: string): Promise<void> {
		if (this.#closed) return;
		await this.#shrink();
		const incidents = await this.#load();
		const { incident, again } = nextIncident(incidents, kind, message, this.#now());
		// A line that a crash cut off must not swallow this one.
		const line = Buffer.from(`${incidents.length === 0 ? '' : '\n'}${JSON.stringify(incident)}`);
		const file = await open(this.#path, 'a', 0o600);
		try {
			this.#fileBytes += line.length;
			await file.appendFile(line);
			await file.datasync();
		} catch (error) {
			throw ofMedium(error, this.#path);
		} finally {
			await file.close();
		}
		if (again) incidents[incidents.length - 1] = incident;
		else incidents.push(incident);
	}

	async #shrink(): Promise<void> {
		if (this.#fileBytes < fileLimitBytes) return;
		const kept = lastIncidents(await this.#load(), keptIncidents);
		const text = kept.map(incident => JSON.stringify(incident)).join('\n');
		await replaceFileDurably(this.#path, text, 0o600);
		this.#incidents = kept;
		this.#fileBytes = Buffer.byteLength(text);
	}

	async #load(): Promise<Incident[]> {
		if (this.#incidents) return this.#incidents;
		let text = '';
		try {
			text = await readFile(this.#path, 'utf8');
		} catch (error) {
			if (!isErrno(error, 'ENOENT')) throw error;
		}
		this.#fileBytes = Buffer.byteLength(text);
		return (this.#incidents ??= parseLog(text));
	}
}

/** The same in a row is one incident with a count: a mover that dies every second must not fill the log's reader. */
export function nextIncident(
	incidents: readonly Incident[],
	kind: string,
	message: string,
	now: Date,
): { incident: Incident; again: boolean } {
	const last = incidents.at(-1);
	if (last?.kind === kind && last.message === message)
		return { incident: { ...last, count: last.count + 1 }, again: true };
	const incident = { sequence: (last?.sequence ?? 0) + 1, at: now.toISOString(), kind, message, count: 1 };
	return { incident, again: false };
}

/** A line that cannot be read was cut off by a crash: it is left out, what follows it counts. */
export function parseLog(text: string): Incident[] {
	const incidents: Incident[] = [];
	for (const line of text.split('\n')) {
		const incident = incidentSchema.safeParse(jsonOf(line)).data;
		if (incident === undefined) continue;
		if (incidents.at(-1)?.sequence === incident.sequence) incidents[incidents.length - 1] = incident;
		else incidents.push(incident);
	}
	return incidents;
}
