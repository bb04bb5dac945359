import type { ErrorCode } from '../../model/errors.ts';
import { change } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/** The recovery goes on without its pin. From here on the host tries to set it, until it stands or the recovery ends. */
export async function unpinned(
	{ recovery, host }: StepContext,
	{ code, reason }: { code: ErrorCode; reason: string },
): Promise<Nothing> {
	if (recovery.state.unpinned !== null) return {};
	await recovery.incidents.add('unpinned', `the restore point is not pinned: ${reason} (${code})`);
	await recovery.change(change.unpinned({ code, reason, since: host.clock.date().toISOString() }));
	return {};
}
