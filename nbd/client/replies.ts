import {
	chunkErrorBit,
	NBD_REPLY_FLAG_DONE,
	NBD_REPLY_TYPE,
	maxStringBytes,
	simpleReplyMagic,
	sizes,
	structuredReplyMagic,
} from '../protocol/constants.ts';
import { hex } from '../protocol/names.ts';
import type { Parser } from './byte-feed.ts';
import type { Calls, ReadCall, Refusal, StatusCall } from './calls.ts';
import type { Negotiated } from './options.ts';
import { violation } from './violation.ts';

/** Of a reply, whose kind decides how long its header is. */
const magicBytes = 4;
/** Two million extents of two numbers: no server packs more into one answer. */
const maximumStatusBytes = 16 * 1024 * 1024;

/** Replies until the connection ends, each to the call it is for. */
export function* receiveReplies(
	calls: Calls,
	agreed: Pick<Negotiated, 'structuredReplies' | 'contextId'>,
): Parser<never> {
	for (;;) {
		const magic = (yield magicBytes).readUInt32BE(0);
		if (magic === simpleReplyMagic) yield* simpleReply(calls, agreed.structuredReplies);
		else if (magic === structuredReplyMagic && agreed.structuredReplies) yield* replyChunk(calls, agreed.contextId);
		else throw violation(`reply begins with ${hex(magic)}`);
	}
}

function* simpleReply(calls: Calls, structuredReplies: boolean): Parser<void> {
	const header = yield sizes.simpleReply - magicBytes;
	const errno = header.readUInt32BE(0);
	const cookie = header.readBigUInt64BE(4);
	const call = calls.of(cookie);
	if (errno !== 0) call.refusal = { errno, message: '' };
	else if (call.kind === 'status' || structuredReplies)
		throw violation(`a simple reply to a ${call.kind} that needs a structured one`);
	else {
		yield call.into;
		call.arrived.add(0, call.into.length);
	}
	calls.end(cookie);
}

function* replyChunk(calls: Calls, contextId: number | undefined): Parser<void> {
	const header = yield sizes.structuredReply - magicBytes;
	const flags = header.readUInt16BE(0);
	const type = header.readUInt16BE(2);
	const cookie = header.readBigUInt64BE(4);
	const lengthBytes = header.readUInt32BE(12);
	const call = calls.of(cookie);
	if (type & chunkErrorBit) {
		const refusal = yield* errorChunk(lengthBytes); // also of a second one, or its bytes would be taken for a reply
		call.refusal ??= refusal;
	} else if (type === NBD_REPLY_TYPE.NONE) {
		if (lengthBytes !== 0 || !(flags & NBD_REPLY_FLAG_DONE)) throw violation('an empty chunk that ends nothing');
	} else if (type === NBD_REPLY_TYPE.OFFSET_DATA && call.kind === 'read') yield* dataChunk(call, lengthBytes);
	else if (type === NBD_REPLY_TYPE.OFFSET_HOLE && call.kind === 'read') yield* holeChunk(call, lengthBytes);
	else if (type === NBD_REPLY_TYPE.BLOCK_STATUS && call.kind === 'status')
		yield* statusChunk(call, lengthBytes, contextId);
	else throw violation(`a chunk of type ${type} in answer to a ${call.kind}`);
	if (flags & NBD_REPLY_FLAG_DONE) calls.end(cookie);
}

function* errorChunk(lengthBytes: number): Parser<Refusal> {
	// 6 bytes before the message, 8 after it with NBD_REPLY_TYPE_ERROR_OFFSET.
	if (lengthBytes < 6 || lengthBytes > maxStringBytes + 14) throw violation(`an error chunk of ${lengthBytes} bytes`);
	const payload = yield lengthBytes;
	const messageBytes = payload.readUInt16BE(4);
	if (6 + messageBytes > lengthBytes)
		throw violation(`a message of ${messageBytes} bytes in a chunk of ${lengthBytes}`);
	const errno = payload.readUInt32BE(0);
	if (errno === 0) throw violation('an error chunk without an error');
	return { errno, message: payload.toString('utf8', 6, 6 + messageBytes) };
}

function* dataChunk(call: ReadCall, lengthBytes: number): Parser<void> {
	if (lengthBytes < 9) throw violation(`a data chunk of ${lengthBytes} bytes`);
	const target = placeIn(call, yield 8, lengthBytes - 8);
	yield target;
}

function* holeChunk(call: ReadCall, lengthBytes: number): Parser<void> {
	if (lengthBytes !== 12) throw violation(`a hole chunk of ${lengthBytes} bytes`);
	const payload = yield 12;
	placeIn(call, payload, payload.readUInt32BE(8)).fill(0);
}

/** The part of the caller's buffer that a chunk is for. */
function placeIn(call: ReadCall, offset: Buffer, lengthBytes: number): Uint8Array {
	const start = offset.readBigUInt64BE(0) - BigInt(call.offsetBytes);
	if (lengthBytes === 0 || start < 0n || start + BigInt(lengthBytes) > BigInt(call.into.length))
		throw violation(
			`sent ${lengthBytes} bytes at ${offset.readBigUInt64BE(0)} for a read of ${call.into.length} at ${call.offsetBytes}`,
		);
	call.arrived.add(Number(start), lengthBytes);
	return call.into.subarray(Number(start), Number(start) + lengthBytes);
}

function* statusChunk(call: StatusCall, lengthBytes: number, context: number | undefined): Parser<void> {
	if (lengthBytes < 12 || lengthBytes % 8 !== 4 || lengthBytes > maximumStatusBytes)
		throw violation(`a block status of ${lengthBytes} bytes`);
	const payload = yield lengthBytes;
	if (payload.readUInt32BE(0) !== context) throw violation(`block status of context ${payload.readUInt32BE(0)}`);
	if (call.extents.length > 0) throw violation('the same block status twice');
	for (let at = 4; at < lengthBytes; at += 8) {
		const extent = { lengthBytes: payload.readUInt32BE(at), flags: payload.readUInt32BE(at + 4) };
		if (extent.lengthBytes === 0) throw violation('an extent of 0 bytes');
		call.extents.push(extent);
	}
}
