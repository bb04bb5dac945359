import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { DrillDependencies } from './dependencies.ts';
import { onDisk } from './on-disk.ts';

export const writeDrillReport =
	({ reports }: DrillDependencies) =>
	(wanted: ActivityInput<'writeDrillReport'>): Promise<void> =>
		attempt(async () => {
			await onDisk(() => reports.write(wanted));
		});
