/** What an item becomes by what is known of its recovery. */
import type { ItemGlance } from '../../model/batch-glance.ts';
import { shortReason } from './reason.ts';
import type { Item } from './state.ts';

/** Its recovery is open. One that waits for a person says so first, whether it was ready or not. */
export function withCourse(item: Item, parked: boolean): Item {
	const { readyMs, late, phase } = item;
	const state = parked ? 'parked' : readyMs !== null ? 'ready' : late ? 'not_ready' : 'starting';
	// Its host is away, say: when it will be gone is up to a person.
	return { ...item, state, leaving: item.leaving && !(parked && phase === 'discarding') };
}

/** Nothing more is to be said to it, or to come of it. */
export function ended(item: Item, { phase, code, reason }: Pick<Item, 'phase' | 'code' | 'reason'>): Item {
	return { ...item, state: 'ended', phase, code, reason: shortReason(reason), owes: [], leaving: false };
}

/** As it was seen; `isNew` when nothing that was heard of it is newer. */
export function seen(item: Item, glance: ItemGlance, { atMs, isNew }: { atMs: number; isNew: boolean }): Item {
	const { phase, closed, readiness, parked, code, reason } = glance;
	const recoveryId = glance.recoveryId ?? item.recoveryId;
	const readyMs = readiness === 'ready' ? (item.readyMs ?? atMs) : item.readyMs;
	const late = readyMs === null && (item.late || readiness === 'not_ready');
	const known: Item = { ...item, recoveryId, heardMs: atMs, readyMs, late };
	if (closed === 'force') return ended(known, { phase, code: 'interrupted', reason: forced });
	if (closed === 'ended') return ended(known, { phase, code, reason });
	if (!isNew) return withCourse(known, item.state === 'parked');
	return withCourse({ ...known, phase, code, reason: shortReason(reason) }, parked);
}

const forced = 'its workflow was ended by force in Temporal; its machine may still run';
