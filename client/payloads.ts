import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '../system/payload-cipher.ts';
import type { ClientCodec } from '../system/payload-codec.ts';

/** The value in a payload as the server gives it; null for one that is sealed by a key which is not here. */
export type ReadPayload = (payload: Payload) => unknown;

export function payloadReader(codec: Pick<ClientCodec, 'open'>): ReadPayload {
	return payload => defaultPayloadConverter.fromPayload(codec.open(payload));
}
