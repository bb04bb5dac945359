/** What a client says and how it names what it hears; the numbers are those of movers/nbd/protocol.ts. */
import { RouseError } from '../../model/errors.ts';
import {
	initMagic,
	NBD_ERROR,
	NBD_REP,
	optionMagic,
	optionReplyMagic,
	requestMagic,
	sizes,
} from '../../movers/nbd/protocol.ts';

export const magic = {
	init: joined(initMagic),
	option: joined(optionMagic),
	optionReply: joined(optionReplyMagic),
	/** "Oldstyle negotiation": what comes instead of IHAVEOPT from a server that knows nothing newer. */
	oldstyle: 0x00420281861253n,
} as const;

/** "Option reply types": those with this bit are errors. */
export const optionErrorBit = 0x8000_0000;

/** Errors of the specification that our own server never gives. */
const moreOptionErrors: Readonly<Record<string, number>> = {
	ERR_PLATFORM: 0x8000_0004,
	ERR_TLS_REQD: 0x8000_0005,
	ERR_BLOCK_SIZE_REQD: 0x8000_0008,
};

export function optionErrorName(type: number): string {
	const known = Object.entries({ ...NBD_REP, ...moreOptionErrors }).find(([, value]) => value === type);
	return known ? `NBD_REP_${known[0]}` : `option error ${hex(type)}`;
}

export function errnoName(value: number): string {
	return Object.entries(NBD_ERROR).find(([, known]) => known === value)?.[0] ?? `error ${value}`;
}

export function encodeRequest(type: number, cookie: bigint, offsetBytes: number, lengthBytes: number): Buffer {
	const request = Buffer.alloc(sizes.request);
	request.writeUInt32BE(requestMagic, 0);
	request.writeUInt16BE(type, 6); // at 4 are flags, none of which a reader needs
	request.writeBigUInt64BE(cookie, 8);
	request.writeBigUInt64BE(BigInt(offsetBytes), 16);
	request.writeUInt32BE(lengthBytes, 24);
	return request;
}

export function encodeOption(option: number, data: Uint8Array): Buffer {
	const header = Buffer.alloc(sizes.optionHeader);
	header.writeBigUInt64BE(magic.option, 0);
	header.writeUInt32BE(option, 8);
	header.writeUInt32BE(data.length, 12);
	return Buffer.concat([header, data]);
}

/** A string with its length before it, as options carry them. */
export function encodeString(text: string): Buffer {
	const bytes = Buffer.from(text, 'utf8');
	return Buffer.concat([encodeUint32(bytes.length), bytes]);
}

export function encodeUint32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value, 0);
	return bytes;
}

export function hex(value: number | bigint): string {
	return `0x${value.toString(16)}`;
}

/** The server said what the protocol does not allow; nothing it says afterwards can be relied on. */
export function violation(what: string): RouseError {
	return new RouseError('protocol', `NBD server: ${what}`);
}

function joined({ high, low }: { high: number; low: number }): bigint {
	return (BigInt(high) << 32n) | BigInt(low);
}
