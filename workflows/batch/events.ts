import type { LookedAt, Ordered, Prepared } from '../../model/batch-glance.ts';
import type { ErrorCode } from '../../model/errors.ts';
import type { ItemNews } from '../batch-contracts.ts';
import type { Asked } from '../contracts.ts';
import type { BatchState } from './state.ts';

interface At {
	/** The time of the event, in ms since the epoch: nothing here reads a clock. */
	readonly atMs: number;
}

/** Indexes of the items that an effect was about. */
interface About {
	readonly items: readonly number[];
}

/** What happens to a batch. News may come twice, late, or in another order than it was sent. */
export type BatchEvent = At &
	(
		| ({ readonly type: 'prepared'; readonly answers: readonly Prepared[] } & About)
		| ({ readonly type: 'started' } & About)
		/** Somebody was faster: a recovery of this name is open. */
		| ({ readonly type: 'taken' } & About)
		| ({ readonly type: 'not-started'; readonly code: ErrorCode; readonly reason: string } & About)
		| { readonly type: 'news'; readonly news: ItemNews }
		/** `askedMs`: what was heard after that is newer. */
		| ({ readonly type: 'looked'; readonly answers: readonly LookedAt[]; readonly askedMs: number } & About)
		| ({ readonly type: 'ordered'; readonly order: 'retry' | 'discard'; readonly answers: readonly Ordered[] } & About)
		/** A signal has come, or there was nobody. */
		| ({ readonly type: 'told'; readonly what: 'tell' | 'take-back'; readonly arrived: boolean } & About)
		/** Of an effect of which nobody knows whether it came to anything. */
		| ({ readonly type: 'no-answer' } & About)
		| { readonly type: 'cancel'; readonly asked: Asked }
		/** `again`: names of those that are begun anew although their machine may be somewhere. */
		| { readonly type: 'retry'; readonly asked: Asked; readonly again?: readonly string[] }
		/** `found`: names of those that it has not started, and that are to go as well. */
		| { readonly type: 'discard'; readonly asked: Asked; readonly found?: readonly string[] }
		/** Of a drill: those who follow do not wait for these any more, these are thrown away, these are begun once more. */
		| ({ readonly type: 'overlook' | 'throw-away' | 'again' } & About)
		/** Whatever is to be done is decided here alone, so that a hundred messages of one moment are one round. */
		| { readonly type: 'tick' }
	);

/** What happens, without its time. */
export type Happening = BatchEvent extends infer Each ? (Each extends BatchEvent ? Omit<Each, 'atMs'> : never) : never;

/** What is to be done after the state that says so is kept. Each comes back as an event about the same items. */
export type BatchEffect =
	| ({ readonly type: 'prepare' } & About)
	| { readonly type: 'start'; readonly item: number }
	| ({ readonly type: 'look'; readonly askedMs: number } & About)
	| ({ readonly type: 'order'; readonly order: 'retry' | 'discard'; readonly asked: Asked } & About)
	| { readonly type: 'tell'; readonly what: 'tell' | 'take-back'; readonly item: number };

export interface Reduced {
	readonly state: BatchState;
	readonly effects: readonly BatchEffect[];
}
