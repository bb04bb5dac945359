import { Client } from '@temporalio/client';
import type { DrillDependencies } from '../activities/drill/dependencies.ts';
import { findDrilled } from '../client/drill/drilled.ts';
import { planScheduledDrill } from '../client/drill/plan-scheduled.ts';
import { ItemRecoveries } from '../client/item-recoveries.ts';
import type { TemporalClient } from '../client/connection.ts';
import type { Installation } from '../system/installation.ts';
import { ClientCodec } from '../system/payload-codec.ts';
import type { TemporalAccess } from './connect.ts';

/** By the worker's own connection, as a client looks: what is sealed by another key is nobody's recovery of ours. */
export async function itemRecoveries(access: TemporalAccess): Promise<ItemRecoveries> {
	return new ItemRecoveries(await clientAs('batch', access));
}

/** What drills need to know of recoveries, hosts and repositories. */
export async function drillsIn(
	access: TemporalAccess,
	installation: Installation,
): Promise<Pick<DrillDependencies, 'find' | 'plan'>> {
	const temporal = await clientAs('drill', access);
	return {
		find: wanted => findDrilled(temporal, wanted),
		plan: (scheduled, how) => planScheduledDrill(scheduled, { temporal, installation, ...how }),
	};
}

async function clientAs(caller: string, { connection, namespace, target }: TemporalAccess): Promise<TemporalClient> {
	const codec = await ClientCodec.of(target);
	const client = new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] } });
	return { client, target, codec, caller, close: async () => {} };
}
