import type { BrokerView } from '../model/broker-view.ts';
import { RouseError } from '../model/errors.ts';
import type { AboutHolder, Broker } from './broker.ts';

/** What a recovery or an import holds and waits for. */
export type HolderStanding = Pick<BrokerView, 'atMs' | 'rebuilding' | 'leases' | 'waiting'>;

/** As the broker says; null when it does not answer. */
export async function standingOf(broker: Pick<Broker, 'view'>, about: AboutHolder): Promise<HolderStanding | null> {
	try {
		const { atMs, rebuilding, leases, waiting } = await broker.view({ ...about, limitMs: 2_000 });
		return { atMs, rebuilding, leases, waiting };
	} catch (error) {
		if (error instanceof RouseError && (error.code === 'worker_missing' || error.code === 'temporal_unreachable'))
			return null;
		throw error;
	}
}
