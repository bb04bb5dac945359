import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { SelftestProgress, SelftestReport } from '../../model/selftest.ts';
import { type HostDependencies, questionAttempt } from '../host-attempt.ts';
import type { SelftestRun } from './run-selftest.ts';

export type RunSelftest = (how: Pick<SelftestRun, 'long' | 'signal' | 'tell'>) => Promise<SelftestReport>;

/** The self test of this host, for a client that is on another machine; its heartbeats carry all that was told so far. */
export const selftest = (host: HostDependencies, run: RunSelftest) =>
	questionAttempt(host, ({ long }: ActivityInput<'selftest'>, { signal, report }) => {
		const told: SelftestProgress[] = [];
		return run({
			long,
			signal,
			tell: line => {
				told.push(line);
				report(told);
			},
		});
	});

export interface SelftestActivities {
	selftest: ReturnType<typeof selftest>;
}
