import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';

/** Takes the recovery's pin away; succeeds when there is none. */
export const unpin =
	({ repositories }: ControlDependencies) =>
	({ repository, recoveryId }: ActivityInput<'unpin'>): Promise<void> =>
		attempt(({ signal }) => repositories.unpin(repository, recoveryId, signal));
