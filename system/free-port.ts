import { createServer } from 'node:net';
import { isErrno } from './durable-file.ts';

/** A TCP port of this address that nobody has at this moment; somebody may before it is used. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
	return await listenOnce(address, 0);
}

/** Whether whoever asks could listen there; not where this machine does not have the address. */
export async function isFreePort(port: number, address = '127.0.0.1'): Promise<boolean> {
	try {
		await listenOnce(address, port);
		return true;
	} catch (error) {
		if (['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].some(code => isErrno(error, code))) return false;
		throw error;
	}
}

function listenOnce(address: string, port: number): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once('error', reject);
		server.listen(port, address, () => {
			const bound = server.address();
			const found = typeof bound === 'object' && bound !== null ? bound.port : port;
			server.close(() => resolve(found));
		});
	});
}
