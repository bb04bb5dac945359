import { metaContexts } from '../export.ts';
import { NBD_REP } from '../protocol.ts';
import { contextId, metaContextReply, readMetaQuery } from './meta-query.ts';
import type { OptionCall } from './option-call.ts';

/** Replaces what was selected before, also when it fails. Names that are not known, and wildcards, select nothing. */
export function setMetaContext(call: OptionCall): void {
	call.negotiation.contexts = undefined;
	const { exportName, export: found, queries } = readMetaQuery(call);
	if (found === undefined) {
		call.reply(NBD_REP.ERR_UNKNOWN, `no export "${exportName}"`);
		return;
	}
	const selected = metaContexts
		.filter(context => queries.includes(context))
		.map(context => ({ id: contextId(context), context }));
	for (const { id, context } of selected) call.reply(NBD_REP.META_CONTEXT, metaContextReply(id, context));
	call.reply(NBD_REP.ACK);
	call.negotiation.contexts = { export: found, selected };
}
