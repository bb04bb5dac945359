import { connect, type NetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';

/** Bytes both ways between a caller and where the call leads, until either ends; what it said last still arrives. */
export function splice(caller: Duplex, to: NetConnectOpts): void {
	const callee = connect(to);
	if ('port' in to) callee.setNoDelay(true); // calls are small and wait for each other
	caller.pipe(callee);
	callee.pipe(caller);
	for (const [one, other] of [
		[caller, callee],
		[callee, caller],
	] as const) {
		one.once('error', () => other.destroy()); // it has been cut; who called sees that, and calls again
		// After its end the pipe ends the other, once all is written.
		one.once('close', () => {
			if (!one.readableEnded) other.destroy();
		});
	}
}
