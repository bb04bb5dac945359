import * as z from 'zod';
import { mergeIncidents } from '../model/incidents.ts';
import { type Incident, incidentSchema, type RecoveryStatus, recoveryStatusSchema } from '../model/recovery.ts';
import { type RecoveryDocument, readDocument, type Sources } from './documents.ts';
import type { AuditEntry } from './audit-entry.ts';
import type { HistoryEntry } from './history.ts';
import type { Outage } from '../system/temporal-outages.ts';
import { leaseEntry } from './lease-entries.ts';
import { owedUndoEntries } from './owed-undo-entries.ts';
import type { HostLeft } from './owed-undos.ts';
import { orderText, stepText } from './order-text.ts';

/** A service of the installation that died, as whoever keeps the services has recorded it. */
export interface ServiceDeath {
	at: string;
	name: string;
	pid: number;
	livedMs: number;
}

/** What became of a recovery, from its request to its end. */
export type AuditDocument = Pick<
	RecoveryDocument,
	'name' | 'recoveryId' | 'machine' | 'restorePoint' | 'host' | 'phase' | 'timings'
> & { entries: AuditEntry[] };

/** What the services of this installation went through, at any time. */
export interface ServiceTroubles {
	deaths: readonly ServiceDeath[];
	/** Of workers that ran. */
	outages: readonly Pick<Outage, 'worker' | 'since' | 'until' | 'reason'>[];
}

/** `troubles`: of this installation, where the audit is read. */
export async function readAudit(
	sources: Sources,
	name: string,
	troubles: ServiceTroubles,
): Promise<{ document: RecoveryDocument; audit: AuditDocument }> {
	const document = await readDocument(sources, name);
	const history = await sources.recoveries.history(name);
	const left = (await sources.owedUndos?.histories(history)) ?? [];
	const entries = makeTimeline(history, document.incidents, troubles, left);
	const { recoveryId, machine, restorePoint, host, phase, timings } = document;
	return { document, audit: { name, recoveryId, machine, restorePoint, host, phase, timings, entries } };
}

const requestSchema = z.object({
	request: z.object({ machine: z.string(), restorePoint: z.string(), requestedBy: z.string(), reason: z.string() }),
	adopt: z.object({ by: z.string(), reason: z.string().optional() }).optional(),
});
const askedSchema = z.looseObject({ by: z.string(), reason: z.string().optional() });
const withIncidents = z.object({ incidents: z.array(incidentSchema) });

/**
 * Temporal's history, the incidents (of the host's log, when it can still be read) and what services went through meanwhile,
 * oldest first, with how hosts fared that it has `left`. The incidents that the workflow knew of are taken from the history itself.
 */
export function makeTimeline(
	history: readonly HistoryEntry[],
	logged: readonly Incident[],
	troubles: ServiceTroubles,
	left: readonly HostLeft[] = [],
): AuditEntry[] {
	const changes = new HistoryReader();
	for (const entry of history) changes.read(entry);
	const reported = history.flatMap(({ content }) => withIncidents.safeParse(content).data?.incidents ?? []);
	const incidents = mergeIncidents(reported, logged).map(
		({ at, kind, message, count }): AuditEntry => ({
			at,
			kind: 'incident',
			text: `${kind}: ${message}${count > 1 ? ` (${count} times)` : ''}`,
			count,
		}),
	);
	const during = troublesDuring(changes.entries, troubles);
	const owed = left.flatMap(({ host, history: fared }) => owedUndoEntries(host, fared));
	return [...changes.entries, ...owed, ...incidents, ...during].toSorted((a, b) => a.at.localeCompare(b.at));
}

/** Whoever keeps the services knows nothing of recoveries: all that fell into the time of `entries` may have touched it. */
export function troublesDuring(entries: readonly AuditEntry[], { deaths, outages }: ServiceTroubles): AuditEntry[] {
	const begin = entries[0]?.at ?? '';
	const end = entries.find(({ kind }) => kind === 'end')?.at;
	const incident = (at: string, text: string, more: Partial<AuditEntry> = {}) =>
		({ at, kind: 'incident', text, count: 1, ...more }) as const;
	return [
		...deaths.map(({ at, name, pid, livedMs }) =>
			incident(at, `service_died: ${name} (pid ${pid}) ended`, { livedMs }),
		),
		...outages.flatMap(({ worker, since, until, reason }) => [
			incident(since, `temporal_away: the ${worker} does not reach Temporal: ${reason}`),
			...(until === undefined ? [] : [incident(until, `temporal_back: the ${worker} reaches Temporal again`)]),
		]),
	].filter(({ at }) => at >= begin && (end === undefined || at <= end));
}

/** Reads the history once, in its order: a change is what differs from the status before. */
class HistoryReader {
	readonly entries: AuditEntry[] = [];
	readonly #startedAt = new Map<string, string>();
	readonly #said = new Set<string>();
	#status: RecoveryStatus | undefined;

	read(entry: HistoryEntry): void {
		switch (entry.kind) {
			case 'started':
				return this.#requested(entry);
			case 'asked':
				return this.#asked(entry);
			case 'answered':
				return this.#add(entry, 'refused', `refused: ${entry.failure?.message ?? 'no reason given'}`, partsOf(entry));
			case 'changed':
				return this.#changed(entry);
			case 'step_started':
				return this.#stepStarted(entry);
			case 'step_finished':
				return this.#stepFinished(entry);
			case 'step_failed':
				return this.#add(
					entry,
					'step_failed',
					`${stepText(entry.name ?? '')} failed: ${entry.failure?.message ?? 'no reason given'}`,
					partsOf(entry),
				);
			case 'cancel_requested':
				return this.#add(entry, 'order', 'cancellation asked for in Temporal');
			case 'finished':
			case 'failed':
			case 'canceled':
			case 'terminated':
				return this.#ended(entry);
			case 'child_refused':
			case 'child_started':
			case 'continued':
			case 'step_scheduled':
			case 'step_canceled':
				return;
			case 'reported':
			case 'told':
				return this.#lease(entry);
		}
	}

	#add(entry: HistoryEntry, kind: AuditEntry['kind'], text: string, more: Partial<AuditEntry> = {}): void {
		this.entries.push({ at: entry.at, kind, text, ...more });
	}

	#requested(entry: HistoryEntry): void {
		const { data } = requestSchema.safeParse(entry.content);
		if (!data) return this.#add(entry, 'requested', 'requested');
		const { machine, restorePoint, requestedBy: by, reason } = data.request;
		this.#add(entry, 'requested', `${machine}@${restorePoint} requested`, { by, ...(reason ? { reason } : {}) });
		if (!data.adopt) return;
		const adopted = 'adopt: the workflow before is lost, and this one goes on where the host is';
		this.#add(entry, 'order', adopted, {
			by: data.adopt.by,
			...(data.adopt.reason ? { reason: data.adopt.reason } : {}),
		});
	}

	#asked(entry: HistoryEntry): void {
		const { data } = askedSchema.safeParse(entry.content);
		if (!data) return this.#add(entry, 'order', entry.name ?? 'order');
		const { by, reason, confirm: _confirm, ...what } = data;
		this.#add(entry, 'order', orderText(entry.name ?? 'order', what), { by, ...(reason ? { reason } : {}) });
	}

	#changed(entry: HistoryEntry): void {
		const { data: now } = recoveryStatusSchema.safeParse(entry.content);
		if (!now) return;
		const before = this.#status;
		this.#status = now;
		if (now.phase !== before?.phase) this.#add(entry, 'phase', `phase ${now.phase}`);
		if (before && now.power !== before.power) this.#add(entry, 'power', `power ${now.power}`);
		if (now.parked && now.parked.code !== before?.parked?.code)
			this.#add(entry, 'parked', `parked (${now.parked.code}): ${now.parked.reason}`);
		if (!now.parked && before?.parked) this.#add(entry, 'unparked', 'goes on');
	}

	/** Each word once: a request is repeated while it waits, and a grant with it. */
	#lease(entry: HistoryEntry): void {
		const said = leaseEntry(entry);
		if (!said) return;
		const { requestId, kind, text, ...who } = said;
		const once = `${requestId} ${text}`;
		if (!this.#said.has(once)) this.#add(entry, kind, text, who);
		this.#said.add(once);
	}

	#stepStarted(entry: HistoryEntry): void {
		this.#startedAt.set(entry.name ?? '', entry.at);
		// The history keeps the last failure of the attempts before; the others are in the incident log.
		if (entry.failure && (entry.attempt ?? 1) > 1)
			this.#add(
				entry,
				'step_failed',
				`${stepText(entry.name ?? '')}: attempt ${(entry.attempt ?? 1) - 1} failed: ${entry.failure.message}`,
				partsOf(entry),
			);
	}

	#stepFinished(entry: HistoryEntry): void {
		const startedAt = this.#startedAt.get(entry.name ?? '');
		const durationMs = startedAt === undefined ? undefined : Date.parse(entry.at) - Date.parse(startedAt);
		this.#add(entry, 'step', `${stepText(entry.name ?? '')} done`, {
			...partsOf(entry),
			...(durationMs === undefined ? {} : { durationMs }),
		});
	}

	#ended(entry: HistoryEntry): void {
		const why = entry.failure?.message ?? (typeof entry.content === 'string' ? entry.content : '');
		this.#add(entry, 'end', `workflow ${entry.kind}${why ? `: ${why}` : ''}`, partsOf(entry));
	}
}

function partsOf({ name, attempt, worker, failure }: HistoryEntry): Partial<AuditEntry> {
	return {
		...(name === undefined ? {} : { step: name }),
		...(attempt === undefined ? {} : { attempt }),
		...(worker === undefined ? {} : { worker }),
		...(failure === undefined ? {} : { failure }),
	};
}
