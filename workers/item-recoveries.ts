import { Client } from '@temporalio/client';
import { ItemRecoveries } from '../client/item-recoveries.ts';
import { ClientCodec } from '../system/payload-codec.ts';
import type { TemporalAccess } from './connect.ts';

/** By the worker's own connection, as a client looks: what is sealed by another key is nobody's recovery of ours. */
export async function itemRecoveries({ connection, namespace, target }: TemporalAccess): Promise<ItemRecoveries> {
	const codec = await ClientCodec.of(target);
	const client = new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] } });
	return new ItemRecoveries({ client, target, codec, caller: 'batch', close: async () => {} });
}
