import { RouseError } from '../../model/errors.ts';
import type { Parser } from './byte-feed.ts';
import {
	maxStringBytes,
	NBD_FLAG_FIXED_NEWSTYLE,
	NBD_FLAG_NO_ZEROES,
	NBD_INFO,
	NBD_OPT,
	NBD_REP,
	optionName,
	sizes,
} from '../../movers/nbd/protocol.ts';
import {
	encodeOption,
	encodeString,
	encodeUint32,
	hex,
	magic,
	optionErrorBit,
	optionErrorName,
	violation,
} from './codec.ts';

/** What server and client agreed upon. */
export interface Negotiated {
	sizeBytes: number;
	structuredReplies: boolean;
	/** Id of the metadata context `base:allocation`; absent: the server has no block status. */
	allocationContext: number | undefined;
	/** Requests to this export must be multiples of it. */
	minimumBlockBytes: number;
	/** No request may ask for more payload than this. */
	maximumPayloadBytes: number;
}

type Send = (bytes: Uint8Array) => void;

/** What the protocol promises of a server that announces no block sizes ("Block size constraints"). */
const defaultMaximumPayloadBytes = 32 * 1024 * 1024;
/** No answer to our options has more than a string and a few numbers. */
const maximumReplyBytes = 4 * maxStringBytes;
const allocationName = 'base:allocation';

/** Fixed newstyle, or, where the server is older than that, plain newstyle without options. */
export function* negotiate(exportName: string, send: Send): Parser<Negotiated> {
	const greeting = yield 18;
	if (greeting.readBigUInt64BE(0) !== magic.init)
		throw violation(`its first 8 bytes are not NBDMAGIC: is this an NBD server?`);
	const second = greeting.readBigUInt64BE(8);
	if (second === magic.oldstyle) throw violation('it speaks the oldstyle handshake only, which is not supported');
	if (second !== magic.option) throw violation(`greeting ${hex(second)} instead of IHAVEOPT`);
	const serverFlags = greeting.readUInt16BE(16);
	const flags = serverFlags & (NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	send(encodeUint32(flags));
	// Without FIXED_NEWSTYLE a server may hang up on any option but this one.
	if (!(flags & NBD_FLAG_FIXED_NEWSTYLE)) return yield* exportByName(exportName, flags, send);
	return yield* go(exportName, flags, send);
}

function* go(exportName: string, flags: number, send: Send): Parser<Negotiated> {
	send(encodeOption(NBD_OPT.STRUCTURED_REPLY, Buffer.alloc(0)));
	const structured = yield* optionReplies(NBD_OPT.STRUCTURED_REPLY);
	let allocationContext: number | undefined;
	if (structured.error === undefined) {
		send(encodeOption(NBD_OPT.SET_META_CONTEXT, metaContextQuery(exportName)));
		const contexts = yield* optionReplies(NBD_OPT.SET_META_CONTEXT);
		allocationContext = allocationIn(contexts.replies);
		throwUnknownExport(contexts.error, exportName);
	}
	send(encodeOption(NBD_OPT.GO, goQuery(exportName)));
	const answer = yield* optionReplies(NBD_OPT.GO);
	// Servers of before 2017 have no GO.
	if (answer.error?.type === NBD_REP.ERR_UNSUP && structured.error !== undefined)
		return yield* exportByName(exportName, flags, send);
	throwUnknownExport(answer.error, exportName);
	if (answer.error !== undefined) {
		const { type, message } = answer.error;
		throw new RouseError('source_invalid', `NBD export "${exportName}": ${optionErrorName(type)}${message}`);
	}
	return { structuredReplies: structured.error === undefined, allocationContext, ...exportIn(answer.replies) };
}

/** Answers with size and flags, or, since it cannot report an error, by hanging up. */
function* exportByName(exportName: string, flags: number, send: Send): Parser<Negotiated> {
	send(encodeOption(NBD_OPT.EXPORT_NAME, Buffer.from(exportName, 'utf8')));
	const answer = yield 10;
	if (!(flags & NBD_FLAG_NO_ZEROES)) yield sizes.exportNameZeroes;
	return {
		sizeBytes: checkedSize(answer.readBigUInt64BE(0)),
		structuredReplies: false,
		allocationContext: undefined,
		minimumBlockBytes: 1,
		maximumPayloadBytes: defaultMaximumPayloadBytes,
	};
}

interface OptionAnswer {
	replies: { type: number; data: Buffer }[];
	error: { type: number; message: string } | undefined;
}

/** All replies to one option, up to the one that ends them. */
function* optionReplies(asked: number): Parser<OptionAnswer> {
	const replies: OptionAnswer['replies'] = [];
	for (;;) {
		const header = yield sizes.optionReplyHeader;
		const first = header.readBigUInt64BE(0);
		if (first !== magic.optionReply) throw violation(`option reply begins with ${hex(first)}`);
		if (header.readUInt32BE(8) !== asked)
			throw violation(`answered ${optionName(header.readUInt32BE(8))} when ${optionName(asked)} was asked`);
		const type = header.readUInt32BE(12);
		const lengthBytes = header.readUInt32BE(16);
		if (lengthBytes > maximumReplyBytes) throw violation(`option reply of ${lengthBytes} bytes`);
		const data = Buffer.from(yield lengthBytes); // copied: the piece it lies in is much larger
		if (type === NBD_REP.ACK) return { replies, error: undefined };
		if (type >= optionErrorBit)
			return { replies, error: { type, message: data.length > 0 ? `: ${data.toString('utf8')}` : '' } };
		if (replies.length >= 1000) throw violation(`more than ${replies.length} replies to ${optionName(asked)}`);
		replies.push({ type, data });
	}
}

function metaContextQuery(exportName: string): Buffer {
	return Buffer.concat([encodeString(exportName), encodeUint32(1), encodeString(allocationName)]);
}

function allocationIn(replies: OptionAnswer['replies']): number | undefined {
	for (const { type, data } of replies) {
		if (type !== NBD_REP.META_CONTEXT) continue;
		if (data.length < 4) throw violation(`metadata context in ${data.length} bytes`);
		if (data.toString('utf8', 4) === allocationName) return data.readUInt32BE(0);
	}
	return undefined;
}

function goQuery(exportName: string): Buffer {
	const wanted = Buffer.alloc(4);
	wanted.writeUInt16BE(1, 0);
	// Asked for because some servers refuse clients that do not know of block sizes.
	wanted.writeUInt16BE(NBD_INFO.BLOCK_SIZE, 2);
	return Buffer.concat([encodeString(exportName), wanted]);
}

function exportIn(
	replies: OptionAnswer['replies'],
): Pick<Negotiated, 'sizeBytes' | 'minimumBlockBytes' | 'maximumPayloadBytes'> {
	let sizeBytes: number | undefined;
	let minimumBlockBytes = 1;
	let maximumPayloadBytes = defaultMaximumPayloadBytes;
	for (const { type, data } of replies) {
		if (type !== NBD_REP.INFO || data.length < 2) continue;
		const kind = data.readUInt16BE(0);
		if (kind === NBD_INFO.EXPORT) {
			if (data.length !== 12) throw violation(`NBD_INFO_EXPORT of ${data.length} bytes`);
			sizeBytes = checkedSize(data.readBigUInt64BE(2));
		} else if (kind === NBD_INFO.BLOCK_SIZE) {
			if (data.length !== 14) throw violation(`NBD_INFO_BLOCK_SIZE of ${data.length} bytes`);
			minimumBlockBytes = data.readUInt32BE(2);
			maximumPayloadBytes = Math.min(data.readUInt32BE(10), defaultMaximumPayloadBytes);
		}
	}
	if (sizeBytes === undefined) throw violation('opened the export without saying its size');
	if (minimumBlockBytes < 1 || (minimumBlockBytes & (minimumBlockBytes - 1)) !== 0 || minimumBlockBytes > 65536)
		throw violation(`minimum block size ${minimumBlockBytes} is not a power of two up to 65536`);
	if (maximumPayloadBytes < minimumBlockBytes) throw violation(`maximum block size ${maximumPayloadBytes}`);
	return { sizeBytes, minimumBlockBytes, maximumPayloadBytes };
}

function checkedSize(size: bigint): number {
	if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw violation(`an export of ${size} bytes is too large`);
	return Number(size);
}

function throwUnknownExport(error: OptionAnswer['error'], exportName: string): void {
	if (error?.type !== NBD_REP.ERR_UNKNOWN) return;
	throw new RouseError('source_invalid', `the NBD server has no export "${exportName}"${error.message}`);
}
