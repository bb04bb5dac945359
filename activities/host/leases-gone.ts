import type { ActivityInput } from '../../model/activity-inputs.ts';
import { type HostDependencies, questionAttempt } from '../host-attempt.ts';

/**
 * Of these leases, those of which nothing is left on this host, and nothing will be. What has outlived its lease there – a
 * machine that is finished – is in a report that the broker has before it hears that the lease is over: else its memory
 * would be free for as long as the next report takes.
 */
export const leasesGone = (host: HostDependencies) =>
	questionAttempt(host, async ({ requestIds }: ActivityInput<'leasesGone'>, { signal }): Promise<string[]> => {
		const gone = await host.supervisor.leasesGone(requestIds, { signal });
		if (gone.length > 0) await host.reportCapacity(signal);
		return gone;
	});
