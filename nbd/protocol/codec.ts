/** Messages and fields as they are written, whichever side writes them. */
import { optionMagic, optionReplyMagic, requestMagic, sizes } from './constants.ts';

/** "Request message" without flags. */
export function encodeRequest(
	type: number,
	cookie: bigint,
	offsetBytes: number,
	lengthBytes: number,
	flags = 0,
): Buffer {
	const request = Buffer.alloc(sizes.request);
	request.writeUInt32BE(requestMagic, 0);
	request.writeUInt16BE(flags, 4);
	request.writeUInt16BE(type, 6);
	request.writeBigUInt64BE(cookie, 8);
	request.writeBigUInt64BE(BigInt(offsetBytes), 16);
	request.writeUInt32BE(lengthBytes, 24);
	return request;
}

/** "Newstyle negotiation": an option of the client. */
export function encodeOption(option: number, data: Uint8Array): Buffer {
	const header = Buffer.alloc(sizes.optionHeader);
	header.writeBigUInt64BE(optionMagic, 0);
	header.writeUInt32BE(option, 8);
	header.writeUInt32BE(data.length, 12);
	return Buffer.concat([header, data]);
}

/** "Fixed newstyle negotiation": a reply of the server to an option. */
export function encodeOptionReply(option: number, type: number, data: Uint8Array): Buffer {
	const header = Buffer.alloc(sizes.optionReplyHeader);
	header.writeBigUInt64BE(optionReplyMagic, 0);
	header.writeUInt32BE(option, 8);
	header.writeUInt32BE(type, 12);
	header.writeUInt32BE(data.length, 16);
	return Buffer.concat([header, data]);
}

/** A string with its length before it, as options and their replies carry them. */
export function encodeString(text: string): Buffer {
	const bytes = Buffer.from(text, 'utf8');
	return Buffer.concat([encodeUint32(bytes.length), bytes]);
}

export function encodeUint16(value: number): Buffer {
	const bytes = Buffer.alloc(2);
	bytes.writeUInt16BE(value, 0);
	return bytes;
}

export function encodeUint32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value, 0);
	return bytes;
}
