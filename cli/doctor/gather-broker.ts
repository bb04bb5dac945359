import { Broker } from '../../client/broker.ts';
import type { TemporalClient } from '../../client/connection.ts';
import { asRouseError } from '../../model/errors.ts';
import type { Facts } from './facts.ts';

const limitMs = 3_000;

/** Undefined when no broker was started, or no worker answers for it: of workers that are missing others tell. */
export async function gatherBroker(temporal: TemporalClient): Promise<Facts['broker']> {
	try {
		return await new Broker(temporal).view({ limitMs });
	} catch (error) {
		const { code, details } = asRouseError(error);
		if (code !== 'worker_missing') throw error;
		const failedTasks = Number(details?.['failedTasks'] ?? 0);
		return failedTasks > 0 ? { failedTasks } : undefined;
	}
}
