import * as z from 'zod';
import { formatBytes } from '../model/format-bytes.ts';
import type { AuditEntry } from './audit-entry.ts';
import type { HistoryEntry } from './history.ts';
import type { ImportSummary } from './imports.ts';
import { makeTimeline, type ServiceTroubles } from './timeline.ts';

const inputSchema = z.object({ source: z.string(), machine: z.string() });
const momentSchema = z.object({ takenAt: z.string() });
const copiedSchema = z.object({ newBytes: z.number(), storedBytes: z.number() });
const sweptSchema = z.object({ left: z.array(z.string()) });
const viewSchema = z.object({
	machine: z.string(),
	outcome: z.enum(['imported', 'failed']),
	restorePoint: z.string().nullable(),
	cancelled: z.string().nullable(),
	failure: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** Temporal's history of an import, with what services went through meanwhile: who asked for it, its steps, and how it ended. */
export function importTimeline(
	history: readonly HistoryEntry[],
	asked: Pick<ImportSummary, 'requestedBy' | 'reason'>,
	troubles: ServiceTroubles,
): AuditEntry[] {
	const entries = makeTimeline(history, [], troubles).map(entry => {
		if (entry.kind === 'requested') return requested(entry, history, asked);
		return entry.kind === 'end' ? ended(entry, history) : entry;
	});
	return [...entries, ...history.flatMap(found)].toSorted((a, b) => a.at.localeCompare(b.at));
}

function requested(
	entry: AuditEntry,
	history: readonly HistoryEntry[],
	{ requestedBy, reason }: Pick<ImportSummary, 'requestedBy' | 'reason'>,
): AuditEntry {
	const { data } = inputSchema.safeParse(history.find(({ kind }) => kind === 'started')?.content);
	return {
		...entry,
		...(data ? { text: `backup of ${data.machine} from ${data.source} requested` } : {}),
		...(requestedBy === null ? {} : { by: requestedBy }),
		...(reason ? { reason } : {}),
	};
}

/** Its workflow finishes as well when the import has failed. */
function ended(entry: AuditEntry, history: readonly HistoryEntry[]): AuditEntry {
	const { data } = viewSchema.safeParse(history.find(({ kind }) => kind === 'finished')?.content);
	if (!data) return entry;
	const { machine, outcome, restorePoint, cancelled, failure } = data;
	if (outcome === 'imported') return { ...entry, text: `stored as ${machine}@${restorePoint ?? ''}` };
	return { ...entry, text: cancelled ?? `failed: ${failure?.code ?? ''}: ${failure?.message ?? ''}` };
}

/** What a step has come to, beside that it is done. */
function found({ at, kind, name, content }: HistoryEntry): AuditEntry[] {
	if (kind !== 'step_finished') return [];
	const told = (text: string): AuditEntry => ({ at, kind: 'step', text });
	const moment = name === 'beginImport' ? momentSchema.safeParse(content).data : undefined;
	const copied = name === 'copyImport' ? copiedSchema.safeParse(content).data : undefined;
	const swept = name === 'sweepImports' ? sweptSchema.safeParse(content).data : undefined;
	return [
		...(moment ? [told(`the machine as it was ${moment.takenAt}`)] : []),
		...(copied ? [told(`${formatBytes(copied.newBytes)} were new and take ${formatBytes(copied.storedBytes)}`)] : []),
		...(swept?.left.map(what => told(`left over of ${what}`)) ?? []),
	];
}
