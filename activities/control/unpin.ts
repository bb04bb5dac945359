import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';

/** Takes the recovery's pin away; succeeds when there is none. From its beginning the recovery gets no token any more. */
export const unpin =
	({ repositories, grants }: ControlDependencies) =>
	({ repository, recoveryId }: ActivityInput<'unpin'>): Promise<void> =>
		attempt(async ({ signal }) => {
			await grants.end(recoveryId);
			await repositories.unpin(repository, recoveryId, signal);
			await grants.forget(recoveryId);
		});
