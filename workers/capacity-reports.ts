import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Supervisor } from '../activities/host-attempt.ts';
import type { CapacityReport } from '../model/broker.ts';
import type { Log } from '../system/log.ts';
import { RepeatedFailures } from '../system/repeated-failures.ts';
import { brokerWorkflowId, capacityReportSignal } from '../workflows/broker-contracts.ts';
import { CapacityNews } from './capacity-news.ts';

/** So late a machine that has come or gone is known, at most. */
const lookEveryMs = 2_000;
const callTimeoutMs = 5_000;

/** Brings a report to the broker of the site; false when there is none. */
export type TellBroker = (report: CapacityReport) => Promise<boolean>;

/** By a signal alone, which is all that a host elsewhere may send (keeper/door/host-calls.ts). */
export function tellBroker(client: Client): TellBroker {
	return async report => {
		try {
			await client.withDeadline(Date.now() + callTimeoutMs, () =>
				client.workflow.getHandle(brokerWorkflowId).signal(capacityReportSignal, report),
			);
			return true;
		} catch (error) {
			if (error instanceof WorkflowNotFoundError) return false;
			throw error;
		}
	};
}

/** What the host has now, whatever was told before. */
export function reportCapacity(supervisor: Pick<Supervisor, 'capacity'>, tell: TellBroker) {
	return async (signal: AbortSignal): Promise<void> => {
		await tell(await supervisor.capacity({ signal }));
	};
}

/**
 * Tells the broker what this host has, as often as {@link CapacityNews} says, until `signal` is aborted. A supervisor or a
 * server that is away is asked again: nothing here ends the worker.
 */
export async function forwardCapacity(
	supervisor: Pick<Supervisor, 'capacity'>,
	tell: TellBroker,
	log: Log,
	signal: AbortSignal,
): Promise<void> {
	const news = new CapacityNews();
	const failures = new RepeatedFailures();
	while (!signal.aborted) {
		try {
			await forwardOnce(supervisor, tell, news, signal);
			failures.over('capacity');
		} catch (error) {
			if (!signal.aborted)
				failures.failed('capacity', error, fields => log.warn(fields, 'the broker is not told what this host has'));
		}
		await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
	}
}

export async function forwardOnce(
	supervisor: Pick<Supervisor, 'capacity'>,
	tell: TellBroker,
	news: CapacityNews,
	signal: AbortSignal,
	nowMs = () => performance.now(),
): Promise<void> {
	const report = await supervisor.capacity({ signal });
	if (!news.due(report, nowMs())) return;
	if (await tell(report)) news.told(report, nowMs());
	else news.unheard(nowMs());
}
