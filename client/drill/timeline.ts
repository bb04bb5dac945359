import * as z from 'zod';
import type { AuditEntry } from '../audit-entry.ts';
import { batchTimeline } from '../batch/timeline.ts';
import type { HistoryEntry } from '../history.ts';
import type { ServiceTroubles } from '../timeline.ts';

const inputSchema = z.object({ plan: z.object({ batch: z.unknown() }) });

/** Temporal's history of a drill, as that of the batch that is beneath it, with its tests and its reports. */
export function drillTimeline(history: readonly HistoryEntry[], troubles: ServiceTroubles): AuditEntry[] {
	const entries = batchTimeline([history.map(withBatch)], troubles).map(testing);
	return [...entries, ...history.flatMap(reported)].toSorted((a, b) => a.at.localeCompare(b.at));
}

/** The request of a drill holds that of a batch. */
function withBatch(entry: HistoryEntry): HistoryEntry {
	const { data } = inputSchema.safeParse(entry.content);
	return entry.kind === 'started' && data ? { ...entry, content: { plan: data.plan.batch } } : entry;
}

/** A child that is no recovery: its name is that of the drill and the machine. */
function testing(entry: AuditEntry): AuditEntry {
	const item = entry.kind === 'item' ? /^[^/]+\/(.+)$/.exec(entry.item ?? '')?.[1] : undefined;
	return item === undefined ? entry : { ...entry, text: `${item} is tested`, item };
}

function reported({ at, kind, name }: HistoryEntry): AuditEntry[] {
	return kind === 'step_finished' && name === 'writeDrillReport' ? [{ at, kind: 'step', text: 'report written' }] : [];
}
