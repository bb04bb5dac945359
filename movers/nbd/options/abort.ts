import { NBD_REP } from '../protocol.ts';
import type { OptionCall } from './option-call.ts';

/** "the server SHOULD ignore any data sent by the client" */
export function abort(call: OptionCall): void {
	call.reply(NBD_REP.ACK);
	call.end();
}
