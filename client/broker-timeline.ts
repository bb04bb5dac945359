import * as z from 'zod';
import type { HistoryEntry } from './history.ts';
import { leaseGrantedSignal } from '../workflows/broker-contracts.ts';
import { leaseEntry } from './lease-entries.ts';
import { shortIdOf } from '../model/broker.ts';
import { orderText } from './order-text.ts';
import type { AuditEntry } from './audit-entry.ts';

const askedSchema = z.looseObject({ by: z.string(), reason: z.string().optional() });

/** A broker's history, oldest first: orders to it, with who gave them and why, and whom it has granted what. */
export function brokerTimeline(history: readonly HistoryEntry[]): AuditEntry[] {
	const said = new Set<string>();
	return history.flatMap(grantsOf).flatMap(entry => {
		if (entry.kind === 'asked') return [orderEntry(entry)];
		const word = leaseEntry(entry);
		if (!word) return end(entry);
		const { requestId, kind, text, ...who } = word;
		const once = `${requestId} ${text}`;
		// Requests are repeated while they wait, and grants with them; an order was told of when it was given.
		if (said.has(once) || kind === 'order') return [];
		said.add(once);
		const [name] = shortIdOf(requestId).split('/');
		return [{ at: entry.at, kind, text: `${name}: ${text}`, ...who }];
	});
}

const deliveredSchema = z.object({ grants: z.array(z.looseObject({ requestId: z.string() })) });

/** Those of a burst are told by one activity: each as if it had been told alone. */
function grantsOf(entry: HistoryEntry): HistoryEntry[] {
	if (entry.kind !== 'step_scheduled' || entry.name !== 'deliverGrants') return [entry];
	const { grants = [] } = deliveredSchema.safeParse(entry.content).data ?? {};
	return grants.map(content => ({ ...entry, kind: 'told', name: leaseGrantedSignal.name, content }));
}

function orderEntry({ at, name = 'order', content }: HistoryEntry): AuditEntry {
	const { data } = askedSchema.safeParse(content);
	if (!data) return { at, kind: 'order', text: name };
	const { by, reason, ...what } = data;
	return { at, kind: 'order', text: orderText(name, what), by, ...(reason ? { reason } : {}) };
}

function end({ at, kind, content }: HistoryEntry): AuditEntry[] {
	if (kind === 'started') return [{ at, kind: 'requested', text: 'the broker was started anew' }];
	if (kind !== 'terminated') return [];
	return [{ at, kind: 'end', text: `terminated in Temporal${typeof content === 'string' ? `: ${content}` : ''}` }];
}
