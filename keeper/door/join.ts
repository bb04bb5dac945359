import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Bytes both ways between a caller and where the call leads, until either ends; then the other is ended too. */
export function join(caller: Duplex, to: NetConnectOpts): void {
	const callee: Socket = connect(to);
	callee.setNoDelay(true); // calls are small and wait for each other
	caller.pipe(callee);
	callee.pipe(caller);
	for (const [one, other] of [
		[caller, callee],
		[callee, caller],
	] as const) {
		one.once('error', () => other.destroy()); // it has been cut; who called sees that, and calls again
		one.once('close', () => other.destroy());
	}
}
