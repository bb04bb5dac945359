import { InvalidArgumentError } from '@commander-js/extra-typings';
import { type Phase, phaseSchema } from '../../model/recovery.ts';
import type { RowAnswer } from './answer.ts';

/** What is asked for; what is absent does not matter. */
export interface ListFilter {
	phase?: readonly Phase[] | undefined;
	machine?: string | undefined;
	/** RFC 3339 in UTC: requested then or later. */
	since?: string | undefined;
	limit?: number | undefined;
}

/**
 * Keeps the order. Temporal is not asked for this: it would find an older recovery of a name whose newest is in another
 * phase, and knows no machine of what is sealed.
 */
export function select<R extends Pick<RowAnswer, 'phase' | 'machine' | 'requestedAt'>>(
	rows: readonly R[],
	{ phase, machine, since, limit }: ListFilter,
): R[] {
	const wanted = rows.filter(
		row =>
			(phase === undefined || phase.includes(row.phase)) &&
			(machine === undefined || row.machine === machine) &&
			(since === undefined || Date.parse(row.requestedAt) >= Date.parse(since)),
	);
	return wanted.slice(0, limit);
}

/** `running,migrating`. */
export function parsePhases(text: string): Phase[] {
	return text.split(',').map(word => {
		const phase = phaseSchema.safeParse(word.trim());
		if (phase.success) return phase.data;
		throw new InvalidArgumentError(`"${word}" is no phase: write one or more of ${phaseSchema.options.join(', ')}.`);
	});
}

export function parseLimit(text: string): number {
	const limit = /^\d+$/.test(text) ? Number(text) : 0;
	if (limit >= 1 && Number.isSafeInteger(limit)) return limit;
	throw new InvalidArgumentError(`"${text}" is no number of recoveries: write 1 or more.`);
}
