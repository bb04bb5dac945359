import type { Qmp } from '../../qmp/client.ts';
import { unlessAborted } from '../../system/unless-aborted.ts';

/**
 * The same monitor for a call that may be aborted: then it asks nothing more, and an answer that is still out is not waited
 * for. QEMU may do what it was asked all the same.
 */
export function abortable(qmp: Qmp, signal: AbortSignal | undefined): Qmp {
	if (signal === undefined) return qmp;
	return {
		get closed() {
			return qmp.closed;
		},
		execute: (command, args, options) => unlessAborted(signal, () => qmp.execute(command, args, options)),
		waitForEvent: (matches, timeoutMs) => unlessAborted(signal, () => qmp.waitForEvent(matches, timeoutMs)),
		onEvent: listener => qmp.onEvent(listener),
		close: () => qmp.close(),
	};
}
