import { createConnection, type Socket } from 'node:net';
import type { AskOptions } from './ping.ts';

/**
 * Why nobody takes a connection; undefined when somebody does. `greeted`: only a byte that comes counts. QEMU takes
 * connections to a forwarded port itself, and the guest's answer comes after that or never (libslirp, tcp_connect).
 */
export async function askByTcp(
	{ address, port }: { address: string; port: number },
	{ greeted, withinMs, signal }: AskOptions & { greeted: boolean },
): Promise<string | undefined> {
	// What is left of a limit is no whole number, which it takes alone; and a socket that nobody hears ends this process.
	const deadline = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(withinMs))]);
	const socket = createConnection({ host: address, port });
	const late = greeted
		? 'a connection was taken and nothing came: on a forwarded port only a service that speaks first shows that the guest is there'
		: 'nobody answers';
	try {
		const why = await outcome(socket, greeted, deadline, late);
		return why === undefined ? undefined : `${address} port ${port}: ${why}`;
	} finally {
		socket.destroy();
		signal.throwIfAborted();
	}
}

function outcome(socket: Socket, greeted: boolean, deadline: AbortSignal, late: string): Promise<string | undefined> {
	return new Promise(resolve => {
		deadline.addEventListener('abort', () => resolve(late), { once: true });
		if (deadline.aborted) resolve(late);
		socket.once('error', error => resolve(error.message));
		socket.once('close', () => resolve('the connection was closed'));
		socket.once(greeted ? 'data' : 'connect', () => resolve(undefined));
	});
}
