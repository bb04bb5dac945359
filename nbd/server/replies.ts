import {
	NBD_REPLY_FLAG_DONE,
	NBD_REPLY_TYPE,
	type NbdErrno,
	simpleReplyMagic,
	sizes,
	structuredReplyMagic,
} from '../protocol/constants.ts';
import type { Extent, NbdFailure } from './export.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** The client's handle of a request, echoed in each reply to it. */
export interface Cookie {
	high: number;
	low: number;
}

/** Writes a simple reply's header at `at` and returns the position after it. */
export function writeSimpleHeader(into: Buffer, at: number, cookie: Cookie, errno: NbdErrno | 0): number {
	into.writeUInt32BE(simpleReplyMagic, at);
	into.writeUInt32BE(errno, at + 4);
	into.writeUInt32BE(cookie.high, at + 8);
	return into.writeUInt32BE(cookie.low, at + 12);
}

/** Writes a structured chunk's header at `at` and returns the position after it. */
function writeChunkHeader(
	into: Buffer,
	at: number,
	cookie: Cookie,
	chunk: { type: number; done: boolean; length: number },
): number {
	into.writeUInt32BE(structuredReplyMagic, at);
	into.writeUInt16BE(chunk.done ? NBD_REPLY_FLAG_DONE : 0, at + 4);
	into.writeUInt16BE(chunk.type, at + 6);
	into.writeUInt32BE(cookie.high, at + 8);
	into.writeUInt32BE(cookie.low, at + 12);
	return into.writeUInt32BE(chunk.length, at + 16);
}

/** What of a read a chunk answers, and whether that is the last of it. */
export interface Answered {
	offset: number;
	length: number;
	last: boolean;
}

/** Header and offset of a chunk that answers a read; the data follows. */
export function writeDataHeader(into: Buffer, at: number, cookie: Cookie, { offset, length, last }: Answered): number {
	const next = writeChunkHeader(into, at, cookie, {
		type: NBD_REPLY_TYPE.OFFSET_DATA,
		done: last,
		length: length + 8,
	});
	return writeOffset(into, next, offset);
}

/** A read, or a part of one, of bytes that leave from where they lie; `free` is called when they have left. */
export function addData(
	replies: ReplyBuffer,
	cookie: Cookie,
	answered: Answered,
	{ bytes, free }: { bytes: readonly Buffer[]; free: () => void },
): void {
	const at = replies.reserve(sizes.offsetData); // which may begin another slab
	writeDataHeader(replies.slab, at, cookie, answered);
	replies.commit(sizes.offsetData);
	replies.append(bytes, free);
}

/** A read, or a part of one, of nothing but zeros. */
export function addHole(replies: ReplyBuffer, cookie: Cookie, { offset, length, last }: Answered): void {
	const at = replies.reserve(sizes.offsetHole);
	const next = writeChunkHeader(replies.slab, at, cookie, { type: NBD_REPLY_TYPE.OFFSET_HOLE, done: last, length: 12 });
	replies.slab.writeUInt32BE(length, writeOffset(replies.slab, next, offset));
	replies.commit(sizes.offsetHole);
}

/** Success without data. */
export function addDone(replies: ReplyBuffer, cookie: Cookie, structured: boolean): void {
	const bytes = structured ? sizes.structuredReply : sizes.simpleReply;
	const at = replies.reserve(bytes);
	if (structured) writeChunkHeader(replies.slab, at, cookie, { type: NBD_REPLY_TYPE.NONE, done: true, length: 0 });
	else writeSimpleHeader(replies.slab, at, cookie, 0);
	replies.commit(bytes);
}

/** Failure; the message reaches the client only where structured replies were negotiated. */
export function addFailure(replies: ReplyBuffer, cookie: Cookie, structured: boolean, failure: NbdFailure): void {
	if (!structured) {
		const at = replies.reserve(sizes.simpleReply);
		writeSimpleHeader(replies.slab, at, cookie, failure.errno);
		replies.commit(sizes.simpleReply);
		return;
	}
	const message = Buffer.from(failure.message.slice(0, 1000));
	const bytes = sizes.structuredReply + 6 + message.length;
	const at = replies.reserve(bytes);
	const { slab } = replies;
	const next = writeChunkHeader(slab, at, cookie, {
		type: NBD_REPLY_TYPE.ERROR,
		done: true,
		length: 6 + message.length,
	});
	slab.writeUInt32BE(failure.errno, next);
	slab.writeUInt16BE(message.length, next + 4);
	message.copy(slab, next + 6);
	replies.commit(bytes);
}

/** One chunk for each metadata context, in the order of the ids. */
export function addBlockStatus(
	replies: ReplyBuffer,
	cookie: Cookie,
	status: readonly { contextId: number; extents: readonly Extent[] }[],
): void {
	for (const [index, { contextId, extents }] of status.entries()) {
		const length = 4 + 8 * extents.length;
		const at = replies.reserve(sizes.structuredReply + length);
		const { slab } = replies;
		const done = index === status.length - 1;
		let next = writeChunkHeader(slab, at, cookie, { type: NBD_REPLY_TYPE.BLOCK_STATUS, done, length });
		next = slab.writeUInt32BE(contextId, next);
		for (const extent of extents) {
			next = slab.writeUInt32BE(extent.length, next);
			next = slab.writeUInt32BE(extent.flags, next);
		}
		replies.commit(sizes.structuredReply + length);
	}
}

function writeOffset(into: Buffer, at: number, offset: number): number {
	into.writeUInt32BE(Math.floor(offset / 2 ** 32), at);
	return into.writeUInt32BE(offset % 2 ** 32, at + 4);
}
