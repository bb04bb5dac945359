import { type MetaContext, metaContexts, type NbdExport } from '../export.ts';
import type { OptionCall } from './option-call.ts';
import { MalformedOption, OptionReader } from './option-reader.ts';

export interface MetaQuery {
	exportName: string;
	/** Undefined when the server has no export of that name. */
	export: NbdExport | undefined;
	queries: string[];
}

/** Data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. Both need structured replies to be negotiated. */
export function readMetaQuery(call: OptionCall): MetaQuery {
	if (!call.negotiation.structuredReplies) throw new MalformedOption('structured replies were not negotiated');
	const reader = new OptionReader(call.data);
	const exportName = reader.string();
	const queries: string[] = [];
	for (let left = reader.uint32(); left > 0; left -= 1) queries.push(reader.string());
	reader.end();
	return { exportName, export: call.exports.find(exportName), queries };
}

/** Data of NBD_REP_META_CONTEXT. */
export function metaContextReply(id: number, context: MetaContext): Buffer {
	const header = Buffer.alloc(4);
	header.writeUInt32BE(id, 0);
	return Buffer.concat([header, Buffer.from(context)]);
}

/** Metadata context ids are the positions in `metaContexts`, from 1. */
export function contextId(context: MetaContext): number {
	return metaContexts.indexOf(context) + 1;
}
