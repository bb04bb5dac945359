import { metaContexts } from '../export.ts';
import { NBD_REP } from '../protocol.ts';
import { metaContextReply, readMetaQuery } from './meta-query.ts';
import type { OptionCall } from './option-call.ts';

/** Without a query all contexts; `base:` and `rouse:` stand for all of their namespace. Ids are not assigned here: 0. */
export function listMetaContext(call: OptionCall): void {
	const { exportName, export: found, queries } = readMetaQuery(call);
	if (found === undefined) {
		call.reply(NBD_REP.ERR_UNKNOWN, `no export "${exportName}"`);
		return;
	}
	for (const context of metaContexts) {
		const namespace = context.slice(0, context.indexOf(':') + 1);
		const asked = queries.length === 0 || queries.includes(context) || queries.includes(namespace);
		if (asked) call.reply(NBD_REP.META_CONTEXT, metaContextReply(0, context));
	}
	call.reply(NBD_REP.ACK);
}
