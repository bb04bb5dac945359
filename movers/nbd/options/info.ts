import type { NbdExport } from '../export.ts';
import { blockSize, NBD_INFO, NBD_REP } from '../protocol.ts';
import type { OptionCall } from './option-call.ts';
import { OptionReader } from './option-reader.ts';
import { transmissionFlags } from './transmission-flags.ts';

export function info(call: OptionCall): void {
	describeExport(call);
}

/**
 * What NBD_OPT_INFO and NBD_OPT_GO have in common: reads which export is meant and what is asked about it, and answers.
 * Returns the export, or undefined when there is none of that name.
 */
export function describeExport(call: OptionCall): NbdExport | undefined {
	const reader = new OptionReader(call.data);
	const name = reader.string();
	const wanted = new Set<number>();
	for (let left = reader.uint16(); left > 0; left -= 1) wanted.add(reader.uint16());
	reader.end();

	const found = call.exports.find(name);
	if (found === undefined) {
		call.reply(NBD_REP.ERR_UNKNOWN, `no export "${name}"`);
		return undefined;
	}
	call.reply(NBD_REP.INFO, exportInfo(found, transmissionFlags(call.negotiation.structuredReplies)));
	if (wanted.has(NBD_INFO.NAME)) call.reply(NBD_REP.INFO, textInfo(NBD_INFO.NAME, found.name));
	if (wanted.has(NBD_INFO.DESCRIPTION)) call.reply(NBD_REP.INFO, textInfo(NBD_INFO.DESCRIPTION, found.description));
	if (wanted.has(NBD_INFO.BLOCK_SIZE)) {
		call.reply(NBD_REP.INFO, blockSizeInfo());
		call.negotiation.maximumAdvertised = true;
	}
	call.reply(NBD_REP.ACK);
	return found;
}

function exportInfo({ sizeBytes }: NbdExport, flags: number): Buffer {
	const bytes = Buffer.alloc(12);
	bytes.writeUInt16BE(NBD_INFO.EXPORT, 0);
	bytes.writeBigUInt64BE(BigInt(sizeBytes), 2);
	bytes.writeUInt16BE(flags, 10);
	return bytes;
}

function textInfo(type: number, text: string): Buffer {
	const header = Buffer.alloc(2);
	header.writeUInt16BE(type, 0);
	return Buffer.concat([header, Buffer.from(text)]);
}

function blockSizeInfo(): Buffer {
	const bytes = Buffer.alloc(14);
	bytes.writeUInt16BE(NBD_INFO.BLOCK_SIZE, 0);
	bytes.writeUInt32BE(blockSize.minimum, 2);
	bytes.writeUInt32BE(blockSize.preferred, 6);
	bytes.writeUInt32BE(blockSize.maximum, 10);
	return bytes;
}
