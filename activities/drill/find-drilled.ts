import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { Drilled, DrillDependencies } from './dependencies.ts';

export const findDrilled =
	(drills: Pick<DrillDependencies, 'find'>) =>
	(wanted: ActivityInput<'findDrilled'>): Promise<Drilled> =>
		attempt(() => drills.find(wanted));
