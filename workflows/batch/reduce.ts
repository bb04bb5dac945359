import type { BatchEvent, Reduced } from './events.ts';
import type { Layout } from './layout.ts';
import { again, overlook, throwAway } from './disposal.ts';
import { looked, news } from './news.ts';
import { cancel, discard, noAnswer, ordered, retry, told } from './orders.ts';
import { notStarted, prepared, started, taken } from './prepared.ts';
import type { BatchState } from './state.ts';
import { tick } from './tick.ts';

/** The batch: what it knows and what happens become what it knows and what is to be done. Reads no clock, keeps nothing. */
export function reduce(layout: Layout, state: BatchState, event: BatchEvent): Reduced {
	return event.type === 'tick' ? tick(layout, state, event.atMs) : { state: learn(layout, state, event), effects: [] };
}

function learn(layout: Layout, state: BatchState, event: Exclude<BatchEvent, { type: 'tick' }>): BatchState {
	switch (event.type) {
		case 'prepared':
			return prepared(layout, state, event);
		case 'started':
			return started(state, event.items);
		case 'taken':
			return taken(state, event.items);
		case 'not-started':
			return notStarted(layout, state, event);
		case 'news':
			return news(layout, state, event.news, event.atMs);
		case 'looked':
			return looked(layout, state, event);
		case 'ordered':
			return ordered(layout, state, event);
		case 'told':
			return told(state, event);
		case 'no-answer':
			return noAnswer(state, event.items, event.atMs);
		case 'cancel':
			return cancel(state, event.asked);
		case 'retry':
			return retry(layout, state, event);
		case 'discard':
			return discard(layout, state, event.asked, event.found ?? []);
		case 'overlook':
			return overlook(state, event.items);
		case 'throw-away':
			return throwAway(state, event.items);
		case 'again':
			return again(state, event.items);
		default:
			return event satisfies never;
	}
}
