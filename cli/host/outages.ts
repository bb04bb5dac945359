/** Workers that run and do not reach Temporal: steps and orders of recoveries wait meanwhile, machines run on. */
import { type Outage, readOutages } from '../../system/temporal-outages.ts';
import { formatTime } from '../terminal/format-time.ts';

/** Starts what of the services is missing, and says what does not answer. */
const outageCommand = 'rouse up --detach';

export interface OutageAnswer {
	worker: string;
	since: string;
	reason: string;
	next: string;
}

export async function currentOutages(home: string): Promise<OutageAnswer[]> {
	return answerOf(await readOutages(home));
}

function answerOf(outages: readonly Outage[]): OutageAnswer[] {
	return outages
		.filter(({ current }) => current)
		.map(({ worker, since, reason }) => ({ worker, since, reason, next: outageCommand }));
}

export function outageText({ worker, since, reason, next }: OutageAnswer, nowMs = Date.now()): string {
	return `the ${worker} has not reached Temporal since ${formatTime(since, nowMs)}, so that steps and orders wait: ${reason}; ${next}`;
}
