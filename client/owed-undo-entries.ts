/** What became of a host that a recovery has left, as the recovery's audit tells it. */
import * as z from 'zod';
import { giveUpSignal } from '../workflows/contracts.ts';
import type { AuditEntry } from './audit-entry.ts';
import type { HistoryEntry } from './history.ts';

const askedSchema = z.object({ by: z.string(), reason: z.string().optional() });

/** `host`: its name. */
export function owedUndoEntries(host: string, history: readonly HistoryEntry[]): AuditEntry[] {
	let isGivenUp = false;
	return history.flatMap((entry): AuditEntry[] => {
		const { at, kind, name, content, failure } = entry;
		if (kind === 'started')
			return [{ at, kind: 'left', text: `${host} does not answer and is left: it is owed an undo` }];
		if (kind === 'reported' && name === giveUpSignal.name) {
			const { data } = askedSchema.safeParse(content);
			isGivenUp = true;
			const { by, reason } = data ?? {};
			const who = { ...(by === undefined ? {} : { by }), ...(reason === undefined ? {} : { reason }) };
			return [{ at, kind: 'order', text: `give up what ${host} may have of it`, ...who }];
		}
		if (kind === 'finished' && !isGivenUp) return [{ at, kind: 'left', text: `${host} has nothing of it any more` }];
		if (kind === 'failed')
			return [{ at, kind: 'left', text: `${host} undoes nothing: ${failure?.message ?? 'no reason given'}` }];
		return [];
	});
}
