import { NBD_OPT, NBD_REPLY_TYPE, optionMagic } from '../../nbd/protocol/constants.ts';
import type { NbdServerSession } from '../../nbd/server/session.ts';

/** What a client sends, byte by byte, valid or not. */

export function clientFlags(flags = 3): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(flags);
	return bytes;
}

export function option(type: number, data: Buffer | string = '', length?: number): Buffer {
	const payload = Buffer.from(data);
	const header = Buffer.alloc(16);
	header.writeBigUInt64BE(optionMagic, 0);
	header.writeUInt32BE(type, 8);
	header.writeUInt32BE(length ?? payload.length, 12);
	return Buffer.concat([header, payload]);
}

export function text(value: string): Buffer {
	return Buffer.concat([uint32(Buffer.byteLength(value)), Buffer.from(value)]);
}

export function uint16(value: number): Buffer {
	const bytes = Buffer.alloc(2);
	bytes.writeUInt16BE(value);
	return bytes;
}

export function uint32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}

/** Data of INFO and GO. */
export function about(name: string, infos: readonly number[] = []): Buffer {
	return Buffer.concat([text(name), uint16(infos.length), ...infos.map(uint16)]);
}

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export function contexts(name: string, queries: readonly string[]): Buffer {
	return Buffer.concat([text(name), uint32(queries.length), ...queries.map(text)]);
}

/** Client flags and options up to the transmission phase. */
export function hello({ structured = true, queries = ['base:allocation'], name = 'disk0' } = {}): Buffer {
	const before = structured
		? [option(NBD_OPT.STRUCTURED_REPLY), option(NBD_OPT.SET_META_CONTEXT, contexts(name, queries))]
		: [];
	return Buffer.concat([clientFlags(), ...before, option(NBD_OPT.GO, about(name))]);
}

export interface RequestFields {
	type: number;
	offset?: number | bigint;
	length?: number;
	flags?: number;
	cookie?: bigint;
	magic?: number;
}

export function request({
	type,
	offset = 0,
	length = 0,
	flags = 0,
	cookie = 1n,
	magic = 0x25609513,
}: RequestFields): Buffer {
	const bytes = Buffer.alloc(28);
	bytes.writeUInt32BE(magic, 0);
	bytes.writeUInt16BE(flags, 4);
	bytes.writeUInt16BE(type, 6);
	bytes.writeBigUInt64BE(cookie, 8);
	bytes.writeBigUInt64BE(BigInt(offset), 16);
	bytes.writeUInt32BE(length, 24);
	return bytes;
}

/** Everything the session has to say, as one. */
export function said(session: NbdServerSession): Buffer {
	const parts = [saidSoFar(session)];
	while (session.hasPieces) {
		session.nextPiece();
		parts.push(saidSoFar(session));
	}
	return Buffer.concat(parts);
}

/** What it has to say without the pieces of large reads that are still to be read. */
export function saidSoFar(session: NbdServerSession): Buffer {
	const bytes = Buffer.concat(session.replies.take());
	session.replies.recycle();
	return bytes;
}

export interface OptionReply {
	option: number;
	type: number;
	data: Buffer;
}

/** Takes replies to options apart; throws when there is anything else. */
export function optionReplies(bytes: Buffer): OptionReply[] {
	const replies: OptionReply[] = [];
	for (let at = 0; at < bytes.length; ) {
		if (bytes.readBigUInt64BE(at) !== 0x3e889045565a9n) throw new Error(`no option reply at ${at}`);
		const length = bytes.readUInt32BE(at + 16);
		replies.push({
			option: bytes.readUInt32BE(at + 8),
			type: bytes.readUInt32BE(at + 12),
			data: bytes.subarray(at + 20, at + 20 + length),
		});
		at += 20 + length;
	}
	return replies;
}

export interface Chunk {
	cookie: bigint;
	done: boolean;
	type: number;
	payload: Buffer;
}

/** Takes structured replies apart; throws when there is anything else. */
export function chunks(bytes: Buffer): Chunk[] {
	const found: Chunk[] = [];
	for (let at = 0; at < bytes.length; ) {
		if (bytes.readUInt32BE(at) !== 0x668e33ef) throw new Error(`no structured reply at ${at}`);
		const length = bytes.readUInt32BE(at + 16);
		found.push({
			cookie: bytes.readBigUInt64BE(at + 8),
			done: bytes.readUInt16BE(at + 4) === 1,
			type: bytes.readUInt16BE(at + 6),
			payload: bytes.subarray(at + 20, at + 20 + length),
		});
		at += 20 + length;
	}
	return found;
}

/** The errno of a chunk that is an error, or 0. */
export function errnoOf(chunk: Chunk | undefined): number {
	return chunk?.type === NBD_REPLY_TYPE.ERROR ? chunk.payload.readUInt32BE(0) : 0;
}
