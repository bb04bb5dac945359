import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import {
	type SelftestProgress,
	selftestProgressSchema,
	type SelftestReport,
	selftestReportSchema,
} from '../model/selftest.ts';
import { selftestWorkflow, taskQueues } from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { RecoveryWorkflows } from './workflows.ts';

export interface SelftestElsewhere {
	long: boolean;
	/** When it is aborted the test stops, and removes what it has made before this returns. */
	signal: AbortSignal;
	tell: (line: SelftestProgress) => void;
}

const progressSchema = z.array(selftestProgressSchema);
const lookEveryMs = 2_000;

/**
 * The self test of a host on another machine, by its own worker; what it tells comes in heartbeats, some seconds late. It goes
 * on when this process dies. Throws what keeps it from being begun; `lock_held` when another one runs.
 */
export async function selftestElsewhere(
	temporal: TemporalClient,
	{ name, hostId }: { name: string; hostId: string },
	{ long, signal, tell }: SelftestElsewhere,
): Promise<SelftestReport> {
	const workflows = new RecoveryWorkflows(temporal);
	const handle = await start(workflows, { name, hostId, long });
	const ended = new AbortController();
	const result = handle.result().finally(() => ended.abort());
	result.catch(() => undefined); // heard below, after what was told
	const stop = () => void workflows.call(undefined, () => handle.cancel()).catch(() => undefined); // the result tells
	signal.addEventListener('abort', stop, { once: true });
	if (signal.aborted) stop();
	try {
		const told = await watch(workflows, handle, { tell, until: ended.signal });
		const report = selftestReportSchema.parse(await result);
		// The last ones may have come after the last look.
		for (const check of report.checks) if (!told.has(check.name)) tell({ type: 'check', check });
		return report;
	} catch (error) {
		throw workflows.translated(error);
	} finally {
		signal.removeEventListener('abort', stop);
	}
}

async function start(
	workflows: RecoveryWorkflows,
	{ name, hostId, long }: { name: string; hostId: string; long: boolean },
): Promise<WorkflowHandle> {
	try {
		return await workflows.call(undefined, () =>
			workflows.client.workflow.start(selftestWorkflow, {
				workflowId: `selftest/${hostId}`,
				taskQueue: taskQueues.control,
				args: [{ hostId, long }],
				workflowIdConflictPolicy: 'FAIL',
				workflowIdReusePolicy: 'ALLOW_DUPLICATE',
			}),
		);
	} catch (cause) {
		if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
		throw new RouseError('lock_held', `another self test of ${name} runs`, { cause });
	}
}

/** The names of the checks that were told when the workflow has ended. */
async function watch(
	workflows: RecoveryWorkflows,
	handle: WorkflowHandle,
	{ tell, until }: { tell: SelftestElsewhere['tell']; until: AbortSignal },
): Promise<Set<string>> {
	const checks = new Set<string>();
	let count = 0;
	while (!until.aborted) {
		const description = await workflows.call(undefined, () => handle.describe());
		const payload = description.raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
		const told = payload ? (progressSchema.safeParse(workflows.read(payload)).data ?? []) : [];
		for (const line of told.slice(count)) {
			tell(line);
			if (line.type === 'check') checks.add(line.check.name);
		}
		count = Math.max(count, told.length);
		await delay(lookEveryMs, undefined, { signal: until }).catch(() => undefined);
	}
	return checks;
}
