import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { DrillDependencies } from './dependencies.ts';
import { onDisk } from './on-disk.ts';

export const keepFindings =
	({ reports }: DrillDependencies) =>
	({ drill, report, name, findings }: ActivityInput<'keepFindings'>): Promise<void> =>
		attempt(() => onDisk(() => reports.keep(drill, report, name, findings)));
