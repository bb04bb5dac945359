import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { Hardware } from '../../model/hardware.ts';
import type { HostView, RecoveryView } from '../../supervisor/protocol.ts';
import { type HostDependencies, questionAttempt } from '../host-attempt.ts';

/** Below the 50 s that the attempt has. */
const timeoutMs = 45_000;

/** A question of a client that is on another machine: as this host's supervisor answers it. */
export const askHost = (host: HostDependencies) =>
	questionAttempt(
		host,
		({ question }: ActivityInput<'askHost'>, { signal }): Promise<HostView | Hardware | RecoveryView> => {
			if (question.about === 'host') return host.supervisor.host({ signal });
			if (question.about === 'recovery') return host.supervisor.recovery(question.name, { signal });
			return host.supervisor.hardware(question.request, { signal, timeoutMs });
		},
	);
