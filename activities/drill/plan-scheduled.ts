import { Context } from '@temporalio/activity';
import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { DrillPlan } from '../../model/drill.ts';
import { attempt } from '../attempt.ts';
import type { DrillDependencies } from './dependencies.ts';

export const planScheduledDrill =
	(drills: Pick<DrillDependencies, 'plan'>) =>
	(scheduled: ActivityInput<'planScheduledDrill'>): Promise<DrillPlan> =>
		attempt(({ signal }) => {
			const { log } = Context.current();
			return drills.plan(scheduled, { signal, onWarning: warning => log.warn(warning) });
		});
