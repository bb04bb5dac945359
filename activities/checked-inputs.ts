import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import type * as z from 'zod';
import { activityInputs } from '../model/activity-inputs.ts';
import { RouseError } from '../model/errors.ts';
import { issueText, keysOf } from '../model/issue-text.ts';
import type { BatchActivities } from './batch-activities.ts';
import type { ControlActivities } from './control-activities.ts';
import type { DrillActivities } from './drill-activities.ts';
import { toFailure } from './failures.ts';
import type { HostActivities } from './host-activities.ts';
import type { ImportActivities } from './import-activities.ts';
import { importInputs } from './import/inputs.ts';

/** None is missing: that is what the type is for. */
const schemas: Readonly<
	Record<
		| keyof ControlActivities
		| keyof BatchActivities
		| keyof DrillActivities
		| keyof HostActivities
		| keyof ImportActivities,
		z.ZodType
	>
> = { ...activityInputs, ...importInputs };

const longestText = 300;

/**
 * No activity begins with anything but what its schema accepts. What is refused is not tried again (`input_invalid`), and
 * reaches neither repository nor supervisor: so this comes first of the interceptors.
 */
export function checkInputs({ info: { activityType } }: Context): ActivityInterceptors {
	return {
		inbound: {
			async execute(input, next) {
				return next({ ...input, args: [checked(activityType, input.args)] });
			},
		},
	};
}

function checked(activity: string, args: readonly unknown[]): unknown {
	const known = Object.entries(schemas).find(([name]) => name === activity);
	if (known === undefined || args.length !== 1)
		throw toFailure(
			new RouseError('input_invalid', `${activity} of ${args.length} arguments is nothing that is done here`),
		);
	const parsed = known[1].safeParse(args[0]);
	if (parsed.success) return parsed.data;
	const [issue] = parsed.error.issues;
	const field = short(issue ? keysOf(issue).map(String).join('.') || 'its input' : 'its input');
	throw toFailure(
		new RouseError('input_invalid', `${activity}: ${field}: ${short(issue ? issueText(issue) : 'not accepted')}`, {
			hint: 'are the workers that run workflows of this version?',
			details: { activity, field },
		}),
	);
}

/** Names of fields are in it, which may be whatever somebody sent. */
function short(text: string): string {
	return text.length > longestText ? `${text.slice(0, longestText)}…` : text;
}
