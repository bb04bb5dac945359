import { unpinPoint } from '../../repository/pins.ts';
import { attempt } from '../attempt.ts';
import { type ControlDependencies, withRepository } from '../repository-access.ts';

/** Takes the recovery's pin away; succeeds when there is none. */
export const unpin =
	(control: ControlDependencies) =>
	({ repository: directory, recoveryId }: { repository: string; recoveryId: string }): Promise<void> =>
		attempt(() => withRepository(control, directory, repository => unpinPoint(repository, recoveryId)));
