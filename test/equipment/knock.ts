import { connect as connectPlain } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** What every HTTP/2 client says first (RFC 9113, 3.4); a server answers with its settings. */
export const preface = Buffer.concat([
	Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
	Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Knocks at a port of this machine as a caller of Temporal, with TLS or without, and tells whether anybody behind it speaks. */
export function knock(
	port: number,
	how: ConnectionOptions | 'plain',
	say: string | Buffer = preface,
	host = '127.0.0.1',
): Promise<'answered' | 'refused'> {
	return new Promise(resolve => {
		const to = { port, host };
		const socket = how === 'plain' ? connectPlain(to) : connectTls({ ...to, ALPNProtocols: ['h2'], ...how });
		socket.setTimeout(30_000, () => socket.destroy());
		// An alert of TLS is no answer of HTTP/2: a plain caller gets one.
		socket.once('data', (bytes: Buffer) => {
			resolve(bytes[3] === 4 ? 'answered' : 'refused');
			socket.destroy();
		});
		socket.once('error', () => socket.destroy());
		socket.once('close', () => resolve('refused'));
		socket.once(how === 'plain' ? 'connect' : 'secureConnect', () => socket.write(say));
	});
}
