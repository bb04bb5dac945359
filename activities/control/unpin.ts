import type { ActivityInput } from '../../model/activity-inputs.ts';
import { unpinGranted } from '../../repository/service/unpin-granted.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';

/** Takes the recovery's pin away; succeeds when there is none. */
export const unpin =
	({ repositories: access, grants }: ControlDependencies) =>
	({ repository, recoveryId }: ActivityInput<'unpin'>): Promise<void> =>
		attempt(({ signal }) => unpinGranted({ grants, access }, repository, recoveryId, signal));
