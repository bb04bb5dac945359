import type { HostParts } from './host-parts.ts';
import type { StepAnswer } from '../protocol.ts';
import type { Recovery } from './recovery.ts';

/** What a step works with; it runs alone for its recovery. */
export interface StepContext {
	recovery: Recovery;
	host: HostParts;
	/** Aborted when a higher generation came, or the supervisor ends. */
	signal: AbortSignal;
}

/** The answer of a step that has nothing to say but that it is done. */
export type Nothing = StepAnswer<'reserve'>;
