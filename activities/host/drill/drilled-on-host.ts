import type { HostStepInput } from '../../../model/activity-inputs.ts';
import { RouseError } from '../../../model/errors.ts';
import type { RecoveryView } from '../../../supervisor/protocol.ts';
import type { HostDependencies } from '../../host-attempt.ts';

/** The host knows itself what is a drill's: whoever asks for tests of another machine has taken one for the other. */
export async function drilledOnHost(
	{ supervisor }: HostDependencies,
	{ name, recoveryId }: HostStepInput,
	signal: AbortSignal,
): Promise<RecoveryView> {
	const view = await supervisor.recovery(name, { signal });
	if (view.recoveryId === recoveryId && view.drill !== null) return view;
	throw new RouseError('identity_conflict', `${name} on this host is not the machine of a drill that was meant`);
}
