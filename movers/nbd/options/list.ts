import { NBD_REP } from '../protocol.ts';
import type { OptionCall } from './option-call.ts';
import { OptionReader } from './option-reader.ts';

/** One NBD_REP_SERVER for each export: length of the name, name, description. */
export function list(call: OptionCall): void {
	new OptionReader(call.data).end();
	for (const { name, description } of call.exports.all) {
		const length = Buffer.alloc(4);
		length.writeUInt32BE(Buffer.byteLength(name), 0);
		call.reply(NBD_REP.SERVER, Buffer.concat([length, Buffer.from(name), Buffer.from(description)]));
	}
	call.reply(NBD_REP.ACK);
}
