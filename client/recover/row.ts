import { reportedPower } from '../recovery-rules.ts';
import type { RecoverySummary } from '../recovery-view.ts';

/** One line of `list --json`. */
export function rowOf({ name, recoveryId, request, status, phase, requestedAt, closedAt, workflow }: RecoverySummary) {
	return {
		name,
		recoveryId: recoveryId ?? null,
		machine: request?.machine ?? null,
		restorePoint: request?.restorePoint ?? null,
		host: request?.host ?? null,
		phase,
		parked: status?.parked ?? null,
		power: reportedPower({ phase, status }),
		requestedAt,
		closedAt: closedAt ?? null,
		/** Temporal's word: a workflow that was ended by force keeps its phase. */
		workflow,
	};
}

export type RecoveryRow = ReturnType<typeof rowOf>;
