/** What a recovery asks a broker for, by its plan and its request. Pure. */
import type { Holder, LeaseRequest } from '../model/broker.ts';
import type { RecoveryPlan, RecoveryRequest } from '../model/recovery.ts';

/** One stream from one disk array to another, when nothing limits it. A guess: only forecasts depend on it. */
const usualRateBytes = 100 * 2 ** 20;

/** Until a person says `migrate`. A guess as well. */
const untilToldMs = 24 * 60 * 60_000;

const startMs = 60_000;

/** The most that a request may say (model/broker.ts). */
const longestMs = 31_536_000_000;

interface Asking {
	holder: Holder;
	step: string;
	request: RecoveryRequest;
	plan: RecoveryPlan;
	/** Any of them. */
	hosts: string[];
	sinceMs: number;
}

/** A place on a host for as long as the recovery lasts; memory and processors remain the machine's when it is over. */
export function runRequest({ plan, request, ...asking }: Asking): LeaseRequest {
	const { memoryMiB, cpus } = plan.config;
	const copyMs = copyTime(plan, request.policy.maxRateBytes);
	return {
		...asking,
		...orderOf(request),
		shared: sharedOf(plan, 'mounts'),
		onHost: { recoveries: 1, memoryMiB, vcpus: cpus },
		lasting: ['memoryMiB', 'vcpus'],
		expectedMs: bounded(startMs + copyMs + (request.policy.finish === 'manual' ? untilToldMs : 0)),
	};
}

/** One stream of copying, on the host where it runs. */
export function migrateRequest({ plan, request, ...asking }: Asking): LeaseRequest {
	return {
		...asking,
		...orderOf(request),
		shared: sharedOf(plan, 'streams'),
		onHost: { migrations: 1 },
		lasting: [],
		expectedMs: bounded(copyTime(plan, request.policy.maxRateBytes)),
	};
}

function orderOf({ priority = 3, deadline }: RecoveryRequest): Pick<LeaseRequest, 'priority' | 'deadlineMs'> {
	return { priority, deadlineMs: deadline === undefined ? null : Date.parse(deadline) };
}

/** None of a repository whose name the plan does not tell: one of before. */
function sharedOf({ repositoryName }: RecoveryPlan, kind: 'mounts' | 'streams'): LeaseRequest['shared'] {
	return repositoryName === undefined ? {} : { [`repository/${repositoryName}/${kind}`]: 1 };
}

function copyTime({ disks }: RecoveryPlan, maxRateBytes: number): number {
	const dataBytes = disks.reduce((sum, disk) => sum + disk.dataBytes, 0);
	return (dataBytes / (maxRateBytes || usualRateBytes)) * 1_000;
}

function bounded(ms: number): number {
	return Math.min(Math.max(Math.round(ms), 1_000), longestMs);
}
