import { asRouseError } from '../model/errors.ts';
import type { Power } from '../model/recovery.ts';
import type { SupervisorClient } from '../supervisor/client.ts';
import type { RecoverySummary } from './summaries.ts';

/** There is nothing to be told: nobody answers, or it has ended there. */
const nothingKnown = ['supervisor_unreachable', 'recovery_unknown', 'phase_wrong'];

/**
 * Of a recovery that Temporal keeps sealed by a key which is not here: what its host tells in Temporal's place, as long as it
 * goes on. Of all others, and where the host tells nothing, what is given.
 */
export async function unsealedByHost<S extends RecoverySummary>(
	summary: S,
	supervisor: Pick<SupervisorClient, 'adoption'>,
): Promise<{ summary: S; power?: Power }> {
	if (!summary.sealed || summary.workflow !== 'RUNNING') return { summary };
	try {
		const { request, recoveryId, power } = await supervisor.adoption(summary.name, { timeoutMs: 2_000 });
		return { summary: { ...summary, request: request ?? undefined, recoveryId }, power };
	} catch (error) {
		if (!nothingKnown.includes(asRouseError(error).code)) throw error;
		return { summary };
	}
}
