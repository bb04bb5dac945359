import { RouseError } from '../model/errors.ts';
import type { SupervisorClient } from '../supervisor/client.ts';
import type { RecoverySummary } from './summaries.ts';

/** Whether the machine of a finished recovery was removed from the host `hostId`, as that host's supervisor knows. */
export async function isRemoved(
	supervisor: Pick<SupervisorClient, 'recovery'>,
	hostId: string,
	finished: Pick<RecoverySummary, 'name' | 'request'>,
): Promise<boolean> {
	if (finished.request?.hostId !== hostId) return false;
	try {
		await supervisor.recovery(finished.name);
		return false;
	} catch (error) {
		if (error instanceof RouseError && error.code === 'recovery_unknown') return true;
		throw error;
	}
}
