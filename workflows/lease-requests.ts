/** What recoveries and imports ask a broker for, by their plans. Pure. */
import type { Holder, LeaseRequest } from '../model/broker.ts';
import type { RecoveryPlan, RecoveryRequest } from '../model/recovery.ts';
import type { ImportOrder } from '../sources/machine/order.ts';

/** One stream from one disk array to another, when nothing limits it. A guess: only forecasts depend on it. */
const usualRateBytes = 100 * 2 ** 20;

/** Until a person says `migrate`. A guess as well. */
const untilToldMs = 24 * 60 * 60_000;

const startMs = 60_000;

const usualPriority = 3;

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
	const untilLocalMs = copyTime(plan, request.policy.maxRateBytes);
	return {
		...asking,
		...orderOf(request),
		shared: sharedOf(plan, 'mounts'),
		onHost: { recoveries: 1, memoryMiB, vcpus: cpus },
		lasting: ['memoryMiB', 'vcpus'],
		expectedMs: bounded(startMs + untilLocalMs + (request.policy.finish === 'manual' ? untilToldMs : 0)),
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

/** A place among the imports of its repository that have a moment begun. Nothing that a recovery wants, so that none waits for it. */
export function importRequest({
	order: { described, plan },
	repositoryName,
	maxRateBytes,
	...asking
}: Pick<Asking, 'holder' | 'step' | 'sinceMs'> & {
	order: Pick<ImportOrder, 'described' | 'plan'>;
	repositoryName: string;
	maxRateBytes: number | null;
}): LeaseRequest {
	const readBytes = described.disks.reduce(
		(sum, { sizeBytes }, number) => sum + (plan.disks[number]?.expectedBytes ?? sizeBytes),
		0,
	);
	return {
		...asking,
		shared: { [`repository/${repositoryName}/imports`]: 1 },
		hosts: [],
		onHost: {},
		lasting: [],
		priority: usualPriority,
		deadlineMs: null,
		expectedMs: bounded(startMs + copyMs(readBytes, maxRateBytes ?? 0)),
	};
}

function orderOf({
	priority = usualPriority,
	deadline,
}: RecoveryRequest): Pick<LeaseRequest, 'priority' | 'deadlineMs'> {
	return { priority, deadlineMs: deadline === undefined ? null : Date.parse(deadline) };
}

/** None of a repository whose name the plan does not tell: one of before. */
function sharedOf({ repositoryName }: RecoveryPlan, kind: 'mounts' | 'streams'): LeaseRequest['shared'] {
	return repositoryName === undefined ? {} : { [`repository/${repositoryName}/${kind}`]: 1 };
}

function copyTime({ disks }: RecoveryPlan, maxRateBytes: number): number {
	const dataBytes = disks.reduce((sum, disk) => sum + disk.dataBytes, 0);
	return copyMs(dataBytes, maxRateBytes);
}

/** @param maxRateBytes 0 is no limit */
function copyMs(bytes: number, maxRateBytes: number): number {
	return (bytes / (maxRateBytes || usualRateBytes)) * 1_000;
}

function bounded(ms: number): number {
	return Math.min(Math.max(Math.round(ms), 1_000), longestMs);
}
