import { NBD_OPT } from '../protocol.ts';
import { abort } from './abort.ts';
import { exportName } from './export-name.ts';
import { go } from './go.ts';
import { info } from './info.ts';
import { list } from './list.ts';
import { listMetaContext } from './list-meta-context.ts';
import type { OptionHandler } from './option-call.ts';
import { setMetaContext } from './set-meta-context.ts';
import { structuredReply } from './structured-reply.ts';

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
