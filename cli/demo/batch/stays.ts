/** What the audits of recoveries say of the places that they took. */
import { RouseError } from '../../../model/errors.ts';

/** How long a recovery had a place on its host; `toMs` is infinite of one that has it still. */
export interface Stay {
	fromMs: number;
	toMs: number;
}

/** What counts of an entry of an audit. */
export interface StayEntry {
	at: string;
	kind: string;
	step?: string | undefined;
	durationMs?: number | undefined;
}

/** From the beginning of its reservation, the last when it has left a host, to the end of its finish: rather too long than too short. */
export function stayOf(name: string, entries: readonly StayEntry[]): Stay {
	const reserved = entries.findLast(({ kind, step }) => kind === 'step' && step === 'reserve');
	if (reserved === undefined) throw new RouseError('internal', `the audit of ${name} tells of no reservation`);
	const finished = entries.find(({ kind, step }) => kind === 'step' && step === 'finalize');
	return {
		fromMs: Date.parse(reserved.at) - (reserved.durationMs ?? 0),
		toMs: finished === undefined ? Infinity : Date.parse(finished.at),
	};
}

/** How many there were at the fullest moment. One that ends as another begins is not there with it. */
export function mostAtOnce(stays: readonly Stay[]): number {
	const counts = stays.map(({ fromMs }) => stays.filter(other => other.fromMs <= fromMs && fromMs < other.toMs).length);
	return Math.max(0, ...counts);
}
