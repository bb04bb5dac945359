import { ActivityFailure, proxyActivities, TimeoutFailure } from '@temporalio/workflow';
import * as z from 'zod';
import type { HostActivities } from '../activities/host-activities.ts';
import { hostQuestionSchema } from '../model/host-question.ts';
import { refusalText } from '../model/issue-text.ts';
import { askOptions } from './activity-options.ts';
import { taskQueues } from './contracts.ts';
import { documentOf, failureOf } from './failures.ts';

const inputSchema = z.strictObject({ hostId: z.uuid(), question: hostQuestionSchema });
export type HostAsked = z.infer<typeof inputSchema>;

/**
 * One question to a host on another machine, and its answer: Temporal is all that reaches both. Fails by the code with which
 * the host refuses, and with `worker_missing` when nobody there takes it.
 */
export async function askHost(input: HostAsked): Promise<unknown> {
	const parsed = inputSchema.safeParse(input);
	if (!parsed.success)
		throw failureOf({ code: 'input_invalid', message: `it is no question to a host: ${refusalText(parsed.error)}` });
	const taskQueue = taskQueues.host(parsed.data.hostId);
	const host = proxyActivities<Pick<HostActivities, 'askHost'>>({ ...askOptions, taskQueue });
	try {
		return await host.askHost(parsed.data);
	} catch (error) {
		const document = documentOf(error);
		const nobody = error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
		throw failureOf(nobody ? { ...document, code: 'worker_missing' } : document);
	}
}
