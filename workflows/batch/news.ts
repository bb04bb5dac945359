import type { ItemGlance } from '../../model/batch-glance.ts';
import type { ItemNews } from '../batch-contracts.ts';
import type { BatchEvent } from './events.ts';
import { heedFailures } from './failures.ts';
import type { Layout } from './layout.ts';
import { shortReason } from './reason.ts';
import { ended, seen, withCourse } from './recovery-state.ts';
import { type BatchState, changeItems, isUnderWay, type Item } from './state.ts';

/** What a recovery has told. News of one that was before, or of an item that has none, is old. */
export function news(layout: Layout, state: BatchState, told: ItemNews, atMs: number): BatchState {
	const index = layout.indexOf.get(told.item);
	const item = index === undefined ? undefined : state.items[index];
	if (index === undefined || !item || !isUnderWay(item) || !isOf(item, told.recoveryId)) return state;
	return heedFailures(
		layout,
		changeItems(state, [index], each => take({ ...each, recoveryId: told.recoveryId, heardMs: atMs }, told, atMs)),
		[index],
	);
}

function isOf({ recoveryId, past }: Item, told: string): boolean {
	return recoveryId === null ? !past.includes(told) : recoveryId === told;
}

/**
 * Its end is its end, and what was ready once was ready, in whatever order that arrives. Of everything else the latest
 * holds.
 */
function take(item: Item, { is, parked: isParked, number, phase, code, reason }: ItemNews, atMs: number): Item {
	if (is === 'ended') return ended({ ...item, number: Math.max(number, item.number) }, { phase, code, reason });
	const readyMs = is === 'ready' ? (item.readyMs ?? atMs) : item.readyMs;
	const late = readyMs === null && (item.late || is === 'not_ready');
	const isNew = number > item.number;
	const parked = isNew ? isParked : item.state === 'parked';
	const known = withCourse({ ...item, readyMs, late, phase: isNew ? phase : item.phase }, parked);
	return isNew ? { ...known, number, code, reason: shortReason(reason) } : known;
}

/** What was seen of items that had long said nothing. */
export function looked(
	layout: Layout,
	state: BatchState,
	{ items, answers, askedMs, atMs }: Extract<BatchEvent, { type: 'looked' }>,
): BatchState {
	const byName = new Map(answers.map(answer => [answer.name, answer]));
	const next = changeItems(state, items, (item, index) => {
		const free = { ...item, busy: false, doubtful: false };
		const answer = byName.get(layout.places[index]?.item.name ?? '');
		if (!answer || !isUnderWay(item)) return free;
		const { glance } = answer;
		if (glance === null) return ended(free, { phase: item.phase, code: 'recovery_unknown', reason: gone });
		if (glance.recoveryId !== null && item.past.includes(glance.recoveryId)) return free;
		const isNew = item.heardMs === null || item.heardMs <= askedMs;
		const now = seen(another(free, glance, layout), glance, { atMs, isNew });
		// It has said meanwhile what was not seen: only another look tells which of both is newer.
		if (!isNew && isUnderWay(now) && (now.state === 'parked') !== glance.parked) return { ...now, doubtful: true };
		// It has not told this, so it may not know whom to tell.
		const silent = !item.doubtful && isUnderWay(now) && now.state !== item.state && !now.owes.includes('tell');
		return silent ? { ...now, owes: ['tell', ...now.owes] } : now;
	});
	return heedFailures(layout, next, items);
}

/** A person has ended its recovery and started another, which asks for the same: that is watched from here on. */
function another(item: Item, { recoveryId, batch }: ItemGlance, { plan }: Layout): Item {
	const { recoveryId: before, past } = item;
	const own = batch === plan.name;
	if (before === null || recoveryId === null || before === recoveryId) return { ...item, own };
	// What was owed to the one before, a discard above all, is not meant for this one.
	const fresh = { found: true, own, number: 0, readyMs: null, late: false, leaving: false, unwanted: false };
	return { ...item, ...fresh, past: [...past, before], owes: ['tell'] };
}

const gone = 'Temporal knows no recovery with this request any more';
