import { RouseError } from '../../model/errors.ts';
import { encodeOption, encodeString, encodeUint16, encodeUint32 } from '../protocol/codec.ts';
import {
	defaultMaximumPayloadBytes,
	maxStringBytes,
	NBD_FLAG_NO_ZEROES,
	NBD_INFO,
	NBD_OPT,
	NBD_REP,
	optionErrorBit,
	optionReplyMagic,
	sizes,
} from '../protocol/constants.ts';
import { hex, optionErrorName, optionName } from '../protocol/names.ts';
import type { Parser } from './byte-feed.ts';
import { violation } from './violation.ts';

/** What server and client agreed upon. */
export interface Negotiated {
	sizeBytes: number;
	structuredReplies: boolean;
	/** Id of the metadata context that was asked for; absent: the server has no such block status. */
	contextId: number | undefined;
	/** Requests to this export must be multiples of it. */
	minimumBlockBytes: number;
	/** No request may ask for more payload than this. */
	maximumPayloadBytes: number;
}

/** What is asked of a server. */
export interface Wanted {
	exportName: string;
	/** Whose block status is wanted: `base:allocation`, or a context of the server's own, as QEMU's `qemu:dirty-bitmap:NAME`. */
	context: string;
}

export type Send = (bytes: Uint8Array) => void;

/** No answer to our options has more than a string and a few numbers. */
const maximumReplyBytes = 4 * maxStringBytes;

/** The option negotiation of fixed newstyle; undefined when the server can open an export by its name only. */
export function* negotiateOptions({ exportName, context }: Wanted, send: Send): Parser<Negotiated | undefined> {
	send(encodeOption(NBD_OPT.STRUCTURED_REPLY, Buffer.alloc(0)));
	const structured = yield* optionReplies(NBD_OPT.STRUCTURED_REPLY);
	let contextId: number | undefined;
	if (structured.error === undefined) {
		send(encodeOption(NBD_OPT.SET_META_CONTEXT, metaContextQuery(exportName, context)));
		const contexts = yield* optionReplies(NBD_OPT.SET_META_CONTEXT);
		contextId = idOf(context, contexts.replies);
		throwUnknownExport(contexts.error, exportName);
	}
	send(encodeOption(NBD_OPT.GO, goQuery(exportName)));
	const answer = yield* optionReplies(NBD_OPT.GO);
	// Servers of before 2017 have no GO.
	if (answer.error?.type === NBD_REP.ERR_UNSUP && structured.error !== undefined) return undefined;
	throwUnknownExport(answer.error, exportName);
	if (answer.error !== undefined) {
		const { type, message } = answer.error;
		throw new RouseError('source_invalid', `NBD export "${exportName}": ${optionErrorName(type)}${message}`);
	}
	return { structuredReplies: structured.error === undefined, contextId, ...exportIn(answer.replies) };
}

/** NBD_OPT_EXPORT_NAME: the server answers with size and flags, or, since it cannot report an error, by hanging up. */
export function* exportByName(exportName: string, flags: number, send: Send): Parser<Negotiated> {
	send(encodeOption(NBD_OPT.EXPORT_NAME, Buffer.from(exportName, 'utf8')));
	const answer = yield sizes.exportNameAnswer;
	if (!(flags & NBD_FLAG_NO_ZEROES)) yield sizes.exportNameZeroes;
	return {
		sizeBytes: checkedSize(answer.readBigUInt64BE(0)),
		structuredReplies: false,
		contextId: undefined,
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
		if (first !== optionReplyMagic) throw violation(`option reply begins with ${hex(first)}`);
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

function metaContextQuery(exportName: string, context: string): Buffer {
	return Buffer.concat([encodeString(exportName), encodeUint32(1), encodeString(context)]);
}

function idOf(context: string, replies: OptionAnswer['replies']): number | undefined {
	for (const { type, data } of replies) {
		if (type !== NBD_REP.META_CONTEXT) continue;
		if (data.length < 4) throw violation(`metadata context in ${data.length} bytes`);
		if (data.toString('utf8', 4) === context) return data.readUInt32BE(0);
	}
	return undefined;
}

function goQuery(exportName: string): Buffer {
	// Asked for because some servers refuse clients that do not know of block sizes.
	return Buffer.concat([encodeString(exportName), encodeUint16(1), encodeUint16(NBD_INFO.BLOCK_SIZE)]);
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
