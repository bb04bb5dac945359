import { describeExport } from './info.ts';
import type { OptionCall } from './option-call.ts';

/** NBD_OPT_INFO and, where that succeeds, the end of the haggling. */
export function go(call: OptionCall): void {
	const found = describeExport(call);
	if (found !== undefined) call.transmit(found);
}
