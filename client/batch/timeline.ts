import * as z from 'zod';
import type { HistoryEntry } from '../history.ts';
import type { AuditEntry } from '../audit-entry.ts';
import { type ServiceTroubles, troublesDuring } from '../timeline.ts';

const asked = { by: z.string(), reason: z.string().optional() };
const inputSchema = z.object({
	plan: z.object({
		name: z.string(),
		items: z.array(z.unknown()),
		groups: z.array(z.unknown()),
		requestedBy: z.string(),
		reason: z.string(),
	}),
	order: z.looseObject({ ...asked, is: z.string() }).optional(),
});
const askedSchema = z.object(asked);
const namesSchema = z.object({ again: z.array(z.string()).default([]), found: z.array(z.string()).default([]) });
const newsSchema = z.object({
	item: z.string(),
	is: z.enum(['ready', 'not_ready', 'parked', 'unparked', 'ended']),
	phase: z.string(),
	code: z.string().nullable(),
	reason: z.string().nullable(),
});
const preparedSchema = z.array(
	z.object({ name: z.string(), is: z.string(), code: z.string().optional(), reason: z.string().optional() }),
);

const orderedSchema = z.array(
	z.object({ name: z.string(), refused: z.object({ code: z.string(), reason: z.string() }).nullable() }),
);
const lookedSchema = z.array(
	z.object({ name: z.string(), glance: z.object({ closed: z.string().nullable(), phase: z.string() }).nullable() }),
);

const newsTexts: Readonly<Record<z.infer<typeof newsSchema>['is'], string>> = {
	ready: 'is ready',
	not_ready: 'is not ready in time',
	parked: 'parked',
	unparked: 'goes on',
	ended: 'is over',
};

/**
 * Temporal's histories of a batch, one for each time that it was begun, oldest first, with what services went through
 * meanwhile: who asked for it, what was found and started, and what its recoveries told. What happened within a recovery is in
 * that one's own.
 */
export function batchTimeline(
	histories: readonly (readonly HistoryEntry[])[],
	troubles: ServiceTroubles,
): AuditEntry[] {
	return histories.flatMap((history, number) => {
		const entries = history.flatMap(entriesOf).map(entry => (number > 0 ? begunAgain(entry) : entry));
		return [...entries, ...troublesDuring(entries, troubles)].toSorted((a, b) => a.at.localeCompare(b.at));
	});
}

function begunAgain(entry: AuditEntry): AuditEntry {
	return entry.kind === 'requested' ? { ...entry, text: `begun again: ${entry.text}` } : entry;
}

/** What a history has beside these is no news to a person. */
const readers: Partial<Record<HistoryEntry['kind'], (entry: HistoryEntry) => AuditEntry[]>> = {
	started: requested,
	asked: ({ at, name = 'order', content }) => [
		{ at, kind: 'order', text: `${name}${namedIn(content)}`, ...whyOf(content) },
	],
	answered: entry => [{ at: entry.at, kind: 'refused', text: `refused: ${failureText(entry)}`, ...failureOf(entry) }],
	reported: news,
	child_started: ({ at, name: item = '' }) => [{ at, kind: 'item', text: `${item} started`, item }],
	child_refused: ({ at, name: item = '' }) => [
		{ at, kind: 'item', text: `${item} was not started: another has its name`, item },
	],
	step_finished: entry => [...prepared(entry), ...ordered(entry), ...looked(entry)],
	step_failed: entry => [
		{ at: entry.at, kind: 'step_failed', text: `${entry.name} failed: ${failureText(entry)}`, ...failureOf(entry) },
	],
	cancel_requested: ({ at }) => [{ at, kind: 'order', text: 'cancellation asked for in Temporal' }],
	finished: ended,
	failed: ended,
	canceled: ended,
	terminated: ended,
};

function entriesOf(entry: HistoryEntry): AuditEntry[] {
	return readers[entry.kind]?.(entry) ?? [];
}

function failureText({ failure }: HistoryEntry): string {
	return failure?.message ?? 'no reason given';
}

function failureOf({ failure }: HistoryEntry): Pick<AuditEntry, 'failure'> {
	return failure ? { failure } : {};
}

function requested({ at, content }: HistoryEntry): AuditEntry[] {
	const { data } = inputSchema.safeParse(content);
	if (!data) return [{ at, kind: 'requested', text: 'requested' }];
	const { plan, order } = data;
	const text = `${counted(plan.items.length, 'machine')} in ${counted(plan.groups.length, 'group')} requested`;
	const by = { by: plan.requestedBy, ...(plan.reason ? { reason: plan.reason } : {}) };
	return [
		{ at, kind: 'requested', text, ...by },
		...(order
			? [{ at, kind: 'order' as const, text: `${order.is}, of what exists${namedIn(order)}`, ...whyOf(order) }]
			: []),
	];
}

function news({ at, name, content }: HistoryEntry): AuditEntry[] {
	const { data } = newsSchema.safeParse(content);
	if (name !== 'itemNews' || !data) return [];
	const why = data.code === null ? '' : ` (${data.code}): ${data.reason ?? ''}`;
	return [{ at, kind: 'item', text: `${data.item} ${newsTexts[data.is]}, ${data.phase}${why}`, item: data.item }];
}

/** What was there already, and what cannot be started. */
function prepared({ at, name, content }: HistoryEntry): AuditEntry[] {
	const { data } = preparedSchema.safeParse(content);
	if (name !== 'prepareItems' || !data) return [];
	return data.flatMap(({ name: item, is, code, reason }): AuditEntry[] => {
		if (is === 'found') return [{ at, kind: 'item', text: `${item} was there already`, item }];
		return is === 'refused' ? [{ at, kind: 'item', text: `${item} is refused (${code}): ${reason}`, item }] : [];
	});
}

/** An order that came to nothing was not carried out, whatever was told to the person who gave it. */
function ordered({ at, name, content }: HistoryEntry): AuditEntry[] {
	const { data } = orderedSchema.safeParse(content);
	if (name !== 'orderItems' || !data) return [];
	return data.flatMap(({ name: item, refused }): AuditEntry[] =>
		refused ? [{ at, kind: 'item', text: `${item} refused (${refused.code}): ${refused.reason}`, item }] : [],
	);
}

/** Of those that can tell nothing any more. */
function looked({ at, name, content }: HistoryEntry): AuditEntry[] {
	const { data } = lookedSchema.safeParse(content);
	if (name !== 'lookAtItems' || !data) return [];
	return data.flatMap(({ name: item, glance }): AuditEntry[] => {
		if (glance === null) return [{ at, kind: 'item', text: `${item} is not known to Temporal any more`, item }];
		if (glance.closed !== 'force') return [];
		return [{ at, kind: 'item', text: `${item} was ended by force in Temporal, ${glance.phase}`, item }];
	});
}

function ended(entry: HistoryEntry): AuditEntry[] {
	const { at, kind, content, failure } = entry;
	const why = failure?.message ?? (typeof content === 'string' ? content : '');
	return [{ at, kind: 'end', text: `workflow ${kind}${why ? `: ${why}` : ''}`, ...failureOf(entry) }];
}

/** Those that a person has named, of which one may run twice by that, or is thrown away. */
function namedIn(content: unknown): string {
	const { again = [], found = [] } = namesSchema.safeParse(content).data ?? {};
	const names = [...again, ...found];
	return names.length === 0 ? '' : `, also of ${names.join(', ')}`;
}

function whyOf(content: unknown): Pick<AuditEntry, 'by' | 'reason'> {
	const { data } = askedSchema.safeParse(content);
	if (!data) return {};
	return { by: data.by, ...(data.reason ? { reason: data.reason } : {}) };
}

function counted(number: number, what: string): string {
	return `${number} ${what}${number === 1 ? '' : 's'}`;
}
