import { ActivityFailure, type ApplicationFailure, proxyActivities, TimeoutFailure } from '@temporalio/workflow';
import * as z from 'zod';
import type { HostActivities } from '../activities/host-activities.ts';
import { hostQuestionSchema } from '../model/host-question.ts';
import { refusalText } from '../model/issue-text.ts';
import { askOptions } from './activity-options.ts';
import { taskQueues } from './contracts.ts';
import { documentOf, failureOf } from './failures.ts';

const inputSchema = z.strictObject({ hostId: z.uuid(), question: hostQuestionSchema });

/**
 * One question to a host on another machine, and its answer: Temporal is all that reaches both. Fails by the code with which
 * the host refuses, and with `worker_missing` when nobody there takes it.
 */
export async function askHost(input: z.infer<typeof inputSchema>): Promise<unknown> {
	const asked = parseAsked(inputSchema, input);
	const taskQueue = taskQueues.host(asked.hostId);
	const host = proxyActivities<Pick<HostActivities, 'askHost'>>({ ...askOptions, taskQueue });
	try {
		return await host.askHost(asked);
	} catch (error) {
		throw unanswered(error);
	}
}

/** Whoever has the keys may start workflows by hand: one that asks for nothing that there is fails at once. */
export function parseAsked<S extends z.ZodType>(schema: S, input: unknown): z.infer<S> {
	const parsed = schema.safeParse(input);
	if (parsed.success) return parsed.data;
	throw failureOf({ code: 'input_invalid', message: `nothing that a host is asked: ${refusalText(parsed.error)}` });
}

/** Why a host has given no answer, by its code. */
export function unanswered(error: unknown): ApplicationFailure {
	const document = documentOf(error);
	const nobody = error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
	return failureOf(nobody ? { ...document, code: 'worker_missing' } : document);
}
