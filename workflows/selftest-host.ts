import { proxyActivities } from '@temporalio/workflow';
import * as z from 'zod';
import type { SelftestActivities } from '../activities/host/selftest.ts';
import type { SelftestReport } from '../model/selftest.ts';
import { selftestOptions } from './activity-options.ts';
import { parseAsked, unanswered } from './ask-host.ts';
import { taskQueues } from './contracts.ts';

const inputSchema = z.strictObject({ hostId: z.uuid(), long: z.boolean() });

/**
 * The self test of a host on another machine. Fails by the code of what keeps it from being begun; one that is cancelled stops,
 * removes what it has made, and ends with the report of that.
 */
export async function selftestHost(input: z.infer<typeof inputSchema>): Promise<SelftestReport> {
	const asked = parseAsked(inputSchema, input);
	const taskQueue = taskQueues.host(asked.hostId);
	const host = proxyActivities<SelftestActivities>({ ...selftestOptions, taskQueue });
	try {
		return await host.selftest(asked);
	} catch (error) {
		throw unanswered(error);
	}
}
