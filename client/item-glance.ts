import type { ItemGlance } from '../model/batch-glance.ts';
import { endedByForce } from './phases.ts';
import type { RecoverySummary } from './summaries.ts';

/** What a batch goes by, of what Temporal knows. */
export function glanceOf({ phase, workflow, recoveryId, batch, status }: RecoverySummary): ItemGlance {
	const closed = endedByForce(workflow) ? 'force' : workflow === 'COMPLETED' || workflow === 'FAILED' ? 'ended' : null;
	const parked = closed === null ? (status?.parked ?? null) : null;
	const why = status?.failure ? { code: status.failure.code, reason: status.failure.message } : parked;
	const is = status?.readiness?.is;
	return {
		recoveryId: recoveryId ?? null,
		batch: batch ?? null,
		phase: workflow === 'FAILED' ? 'failed' : phase,
		closed,
		readiness: is === 'ready' || is === 'not_ready' ? is : null,
		parked: parked !== null,
		code: why?.code ?? null,
		reason: why?.reason ?? null,
	};
}
