import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { DrillDependencies } from './dependencies.ts';

export const keepFindings =
	({ reports }: DrillDependencies) =>
	({ drill, report, name, findings }: ActivityInput<'keepFindings'>): Promise<void> =>
		attempt(() => reports.keep(drill, report, name, findings));
