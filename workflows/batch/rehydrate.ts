import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { type DurableItem, durableStateSchema, stateVersion } from './durable-state.ts';
import type { Layout } from './layout.ts';
import type { BatchState, Item } from './state.ts';

/**
 * Throws `input_invalid` for a state of a newer version, of which an older worker would drop what it does not know, or one
 * that does not belong to this plan.
 */
export function rehydrate(handedOver: unknown, { plan }: Layout): BatchState {
	const parsed = durableStateSchema.safeParse(handedOver);
	if (!parsed.success) throw unreadable(`this worker knows version ${stateVersion}: ${refusalText(parsed.error)}`);
	const { startedMs, lookedMs, stop, asked, reasons, items } = parsed.data;
	if (items.length !== plan.items.length) throw unreadable(`it has ${items.length} items, not ${plan.items.length}`);
	return {
		startedMs,
		endedMs: null,
		lookedMs,
		stop,
		asked: { retry: askedIn(asked.retry), discard: askedIn(asked.discard) },
		items: items.map(item => itemFrom(item, startedMs, reasons)),
	};
}

function askedIn(asked: { by: string; reason?: string | undefined } | null) {
	if (asked === null) return null;
	const { by, reason } = asked;
	return reason === undefined ? { by } : { by, reason };
}

function itemFrom(durable: DurableItem, beganMs: number, reasons: readonly string[]): Item {
	const [state, phase, recoveryId, past, number, code, reasonNumber, times, flags, owes] = durable;
	const [startedMs, readyMs, freeMs, heardMs, againMs] = times.map(ms => (ms === null ? null : ms + beganMs));
	const reason = reasonNumber === null ? null : reasons[reasonNumber];
	if (reason === undefined) throw unreadable(`it has ${reasons.length} reasons, not ${reasonNumber}`);
	return {
		state,
		phase,
		recoveryId,
		past,
		number,
		code,
		reason,
		found: flags.includes('found'),
		own: flags.includes('own'),
		startedMs: startedMs ?? null,
		readyMs: readyMs ?? null,
		late: flags.includes('late'),
		overlooked: flags.includes('overlooked'),
		looked: flags.includes('looked'),
		freeMs: freeMs ?? null,
		heardMs: heardMs ?? null,
		owes,
		doubtful: flags.includes('doubtful'),
		leaving: flags.includes('leaving'),
		unwanted: flags.includes('unwanted'),
		againMs: againMs ?? null,
		again: flags.includes('again'),
		busy: false,
	};
}

function unreadable(why: string): RouseError {
	return new RouseError('input_invalid', `the state of a batch: ${why}`);
}
