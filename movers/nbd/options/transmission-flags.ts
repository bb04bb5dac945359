import { NBD_FLAG } from '../protocol.ts';

/**
 * "Transmission flags" of every export. Flush is offered because it costs nothing where nothing is ever written.
 * SEND_DF MUST stay clear without structured replies. CAN_MULTI_CONN: what one connection reads all others read.
 */
export function transmissionFlags(structuredReplies: boolean): number {
	const always =
		NBD_FLAG.HAS_FLAGS | NBD_FLAG.READ_ONLY | NBD_FLAG.SEND_FLUSH | NBD_FLAG.CAN_MULTI_CONN | NBD_FLAG.SEND_CACHE;
	return structuredReplies ? always | NBD_FLAG.SEND_DF : always;
}
