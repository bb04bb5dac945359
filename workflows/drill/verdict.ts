import type { ErrorCode } from '../../model/errors.ts';
import type { Item } from '../batch/state.ts';

/** What is to be done with a machine: it is tested, waited for, or has failed before that. */
export type Verdict = 'test' | 'wait' | { code: ErrorCode; reason: string };

export function verdictOn({ state, phase, code, reason, found, leaving }: Item): Verdict {
	// Left of an earlier drill, and on its way out.
	const isGoing = found && (leaving || phase === 'discarding');
	switch (state) {
		case 'waiting':
		case 'starting':
			return 'wait';
		case 'ready':
			return isGoing ? 'wait' : 'test';
		case 'not_ready':
			if (isGoing) return 'wait';
			return { code: code ?? 'not_ready', reason: reason ?? 'it was not ready in time' };
		case 'parked':
			return { code: code ?? 'parked', reason: reason ?? 'its recovery waits for a person' };
		case 'left_out':
		case 'refused':
			return { code: code ?? 'internal', reason: reason ?? 'it was not started' };
		case 'ended':
			if (found && phase === 'discarded') return 'wait';
			return {
				code: code ?? 'interrupted',
				reason: reason ?? `its recovery is ${phase ?? 'gone'}, and was not tested`,
			};
		default:
			return state satisfies never;
	}
}
