/** The option negotiation: what each option of the specification ("Option types") does, and how it is answered. */
import { encodeString, encodeUint16, encodeUint32 } from '../protocol/codec.ts';
import { NBD_FLAG, NBD_INFO, NBD_OPT, NBD_REP, sizes } from '../protocol/constants.ts';
import { blockSize } from './check-request.ts';
import type { NbdExport, NbdExports } from './export.ts';
import { MalformedOption, OptionReader } from './option-reader.ts';
import type { SelectedContext } from './transmission.ts';

/** What the options before have settled. */
export interface Negotiation {
	noZeroes: boolean;
	structuredReplies: boolean;
	/** Of the last NBD_OPT_SET_META_CONTEXT: it counts only for the export that it named. */
	contexts: { export: NbdExport; selected: readonly SelectedContext[] } | undefined;
	maximumAdvertised: boolean;
}

/** One option as its handler sees it. */
export interface OptionCall {
	readonly option: number;
	readonly data: Buffer;
	readonly negotiation: Negotiation;
	readonly exports: NbdExports;
	/** Sends a reply to this option; the last one of a handler is NBD_REP_ACK or an error. */
	reply(type: number, payload?: Buffer | string): void;
	/** Sends bytes that are not an option reply. */
	write(bytes: Buffer): void;
	/** Ends the handshake: from here on the client sends requests to this export. */
	transmit(chosen: NbdExport): void;
	/** Ends the session once its replies are written. */
	end(): void;
}

/** Throws `MalformedOption` for data that does not have the option's form; nothing else. */
export type OptionHandler = (call: OptionCall) => void;

/** Options without a handler are answered with NBD_REP_ERR_UNSUP. */
export const optionHandlers: ReadonlyMap<number, OptionHandler> = new Map<number, OptionHandler>([
	[NBD_OPT.EXPORT_NAME, exportName],
	[NBD_OPT.ABORT, abort],
	[NBD_OPT.LIST, list],
	[NBD_OPT.INFO, info],
	[NBD_OPT.GO, go],
	[NBD_OPT.STRUCTURED_REPLY, structuredReply],
	[NBD_OPT.LIST_META_CONTEXT, listMetaContext],
	[NBD_OPT.SET_META_CONTEXT, setMetaContext],
]);

/** NBD_OPT_EXPORT_NAME knows no error reply: an export that is not there ends the session. */
function exportName(call: OptionCall): void {
	const chosen = call.exports.find(call.data.toString('utf8'));
	if (chosen === undefined) {
		call.end();
		return;
	}
	const answer = Buffer.alloc(sizes.exportNameAnswer + (call.negotiation.noZeroes ? 0 : sizes.exportNameZeroes));
	answer.writeBigUInt64BE(BigInt(chosen.sizeBytes), 0);
	answer.writeUInt16BE(transmissionFlags(chosen, call.negotiation.structuredReplies), 8);
	call.write(answer);
	call.transmit(chosen);
}

/** "the server SHOULD ignore any data sent by the client" */
function abort(call: OptionCall): void {
	call.reply(NBD_REP.ACK);
	call.end();
}

/** One NBD_REP_SERVER for each export: length of the name, name, description. */
function list(call: OptionCall): void {
	new OptionReader(call.data).end();
	for (const { name, description } of call.exports.all)
		call.reply(NBD_REP.SERVER, Buffer.concat([encodeString(name), Buffer.from(description)]));
	call.reply(NBD_REP.ACK);
}

function info(call: OptionCall): void {
	describeExport(call);
}

/** NBD_OPT_INFO and, where that succeeds, the end of the handshake. */
function go(call: OptionCall): void {
	const found = describeExport(call);
	if (found !== undefined) call.transmit(found);
}

/**
 * What NBD_OPT_INFO and NBD_OPT_GO have in common: reads which export is meant and what is asked about it, and answers.
 * Returns the export, or undefined when there is none of that name.
 */
function describeExport(call: OptionCall): NbdExport | undefined {
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
	call.reply(NBD_REP.INFO, exportInfo(found, transmissionFlags(found, call.negotiation.structuredReplies)));
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
	return Buffer.concat([encodeUint16(type), Buffer.from(text)]);
}

function blockSizeInfo(): Buffer {
	const bytes = Buffer.alloc(14);
	bytes.writeUInt16BE(NBD_INFO.BLOCK_SIZE, 0);
	bytes.writeUInt32BE(blockSize.minimum, 2);
	bytes.writeUInt32BE(blockSize.preferred, 6);
	bytes.writeUInt32BE(blockSize.maximum, 10);
	return bytes;
}

/**
 * "Transmission flags". Flush is offered to readers as well, whom it costs nothing. TRIM and WRITE_ZEROES are not: who
 * may write a part of an export writes metadata, and little of it. SEND_DF MUST stay clear without structured replies.
 * CAN_MULTI_CONN: what one connection reads all others read, and a flush on one covers what was written on any.
 */
function transmissionFlags({ writer }: NbdExport, structuredReplies: boolean): number {
	const always = NBD_FLAG.HAS_FLAGS | NBD_FLAG.SEND_FLUSH | NBD_FLAG.CAN_MULTI_CONN | NBD_FLAG.SEND_CACHE;
	const access = writer ? NBD_FLAG.SEND_FUA : NBD_FLAG.READ_ONLY;
	return always | access | (structuredReplies ? NBD_FLAG.SEND_DF : 0);
}

function structuredReply(call: OptionCall): void {
	new OptionReader(call.data).end();
	call.negotiation.structuredReplies = true;
	call.reply(NBD_REP.ACK);
}

/** Without a query all contexts; a namespace alone, as `base:`, stands for all of it. Ids are not assigned here: 0. */
function listMetaContext(call: OptionCall): void {
	const query = readMetaQuery(call);
	if (query === undefined) return;
	for (const context of query.export.metaContexts) {
		const namespace = context.slice(0, context.indexOf(':') + 1);
		const asked = query.names.length === 0 || query.names.includes(context) || query.names.includes(namespace);
		if (asked) call.reply(NBD_REP.META_CONTEXT, metaContextReply(0, context));
	}
	call.reply(NBD_REP.ACK);
}

/** Replaces what was selected before, also when it fails. Names that are not known, and wildcards, select nothing. */
function setMetaContext(call: OptionCall): void {
	call.negotiation.contexts = undefined;
	const query = readMetaQuery(call);
	if (query === undefined) return;
	// Metadata context ids are the positions among those of the export, from 1.
	const selected = query.export.metaContexts
		.map((context, index) => ({ id: index + 1, context }))
		.filter(({ context }) => query.names.includes(context));
	for (const { id, context } of selected) call.reply(NBD_REP.META_CONTEXT, metaContextReply(id, context));
	call.reply(NBD_REP.ACK);
	call.negotiation.contexts = { export: query.export, selected };
}

/**
 * Data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT, which both need structured replies to be negotiated.
 * Undefined, and answered, when there is no export of that name.
 */
function readMetaQuery(call: OptionCall): { export: NbdExport; names: string[] } | undefined {
	if (!call.negotiation.structuredReplies) throw new MalformedOption('structured replies were not negotiated');
	const reader = new OptionReader(call.data);
	const name = reader.string();
	const names: string[] = [];
	for (let left = reader.uint32(); left > 0; left -= 1) names.push(reader.string());
	reader.end();
	const found = call.exports.find(name);
	if (found !== undefined) return { export: found, names };
	call.reply(NBD_REP.ERR_UNKNOWN, `no export "${name}"`);
	return undefined;
}

/** Data of NBD_REP_META_CONTEXT. */
function metaContextReply(id: number, context: string): Buffer {
	return Buffer.concat([encodeUint32(id), Buffer.from(context)]);
}
