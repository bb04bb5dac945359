import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { DrillDependencies } from './dependencies.ts';

export const writeDrillReport =
	({ reports }: DrillDependencies) =>
	(wanted: ActivityInput<'writeDrillReport'>): Promise<void> =>
		attempt(async () => {
			await reports.write(wanted);
		});
