import { sizes } from '../protocol.ts';
import type { OptionCall } from './option-call.ts';
import { transmissionFlags } from './transmission-flags.ts';

/** NBD_OPT_EXPORT_NAME knows no error reply: an export that is not there ends the session. */
export function exportName(call: OptionCall): void {
	const chosen = call.exports.find(call.data.toString('utf8'));
	if (chosen === undefined) {
		call.end();
		return;
	}
	const answer = Buffer.alloc(10 + (call.negotiation.noZeroes ? 0 : sizes.exportNameZeroes));
	answer.writeBigUInt64BE(BigInt(chosen.sizeBytes), 0);
	answer.writeUInt16BE(transmissionFlags(call.negotiation.structuredReplies), 8);
	call.write(answer);
	call.transmit(chosen);
}
