import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { isErrno } from './durable-file.ts';

/** Below are ports that programs are known by. */
const lowest = 10_000;
/** Where Linux begins unless told otherwise: ip(7), ip_local_port_range. */
const usualEphemeral = 32_768;
const tries = 100;

/**
 * A TCP port of this address that nobody has at this moment; somebody may before it is used. So it is none of those that the
 * kernel gives to connections and to whoever asks for any: these come and go all the time, also while it is kept for later.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
	const above = Math.max(lowest + 1, await firstEphemeral());
	for (let tried = 0; tried < tries; tried++) {
		const port = randomInt(lowest, above);
		if (await isFreePort(port, address)) return port;
	}
	return await listenOnce(address, 0);
}

async function firstEphemeral(): Promise<number> {
	try {
		const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'latin1');
		return Number.parseInt(range, 10) || usualEphemeral;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return usualEphemeral;
		throw error;
	}
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
