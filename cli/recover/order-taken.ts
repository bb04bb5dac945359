import { RouseError } from '../../model/errors.ts';
import type { Phase } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';

/** An order is taken within milliseconds; who has to wait for a host longer than this is told what is the case meanwhile. */
const defaultLimitMs = 3_000;

/** What is looked at of a glance. */
export interface Stand {
	phase: Phase;
	status: { parked: { since: string } | null } | undefined;
	pending: readonly { step: string }[];
}

/**
 * Waits until the recovery has gone on from where it stood `before` the order, so that the answer shows what the order did.
 * Returns as well when that has not happened within `limitMs`.
 */
export async function untilTaken(
	recoveries: { peek(name: string): Promise<Stand> },
	name: string,
	{ before, signal, limitMs = defaultLimitMs }: { before: Stand; signal: AbortSignal; limitMs?: number },
): Promise<void> {
	try {
		const look = async () => hasMoved(before, await recoveries.peek(name));
		await waitFor(`recovery ${name} to go on`, look, { timeoutMs: limitMs, everyMs: 50, signal });
	} catch (error) {
		if (!(error instanceof RouseError && error.code === 'timeout')) throw error;
	}
}

/** A host that still has to be told of a `retry` shows what it had given up. */
function hasMoved(before: Stand, now: Stand): boolean {
	const moved = now.phase !== before.phase || now.status?.parked?.since !== before.status?.parked?.since;
	return moved && !now.pending.some(({ step }) => step === 'retry');
}
