import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';

/** The restore point stays while the pin stands: it ends by release, never by time. */
export const pin =
	({ repositories }: ControlDependencies) =>
	({ repository, recovery, ...what }: ActivityInput<'pin'>): Promise<void> =>
		attempt(({ signal }) => repositories.pin(repository, { ...what, reason: `recovery ${recovery}` }, signal));
