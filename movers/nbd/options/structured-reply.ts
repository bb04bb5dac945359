import { NBD_REP } from '../protocol.ts';
import type { OptionCall } from './option-call.ts';
import { OptionReader } from './option-reader.ts';

export function structuredReply(call: OptionCall): void {
	new OptionReader(call.data).end();
	call.negotiation.structuredReplies = true;
	call.reply(NBD_REP.ACK);
}
