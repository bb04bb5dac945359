import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';

/**
 * The restore point stays while the pin stands: it ends by release, never by time. What the recovery's host may read is
 * written down first, outside of the repository: a recovery goes on where that cannot be written.
 */
export const pin =
	({ repositories, grants }: ControlDependencies) =>
	({ repository, recovery, host, ...what }: ActivityInput<'pin'>): Promise<void> =>
		attempt(async ({ signal }) => {
			signal.throwIfAborted(); // of a recovery that is over by then nobody would take the grant away
			if (host !== undefined) await grants.give({ ...what, name: recovery, host, repository });
			await repositories.pin(repository, { ...what, reason: `recovery ${recovery}` }, signal);
		});
