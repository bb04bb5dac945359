/** Whom the bridges of this host have heard: what they learn to forward by, read from sysfs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './durable-file.ts';
import { namesIn } from './names-in.ts';

const interfaces = '/sys/class/net';

/** Where a bridge has seen a MAC address. */
export interface Neighbour {
	mac: string;
	/** The interface behind which it is. */
	port: string;
	/** It is that interface's own address. */
	local: boolean;
}

/** Whom a bridge has heard within its ageing time, five minutes as a rule; nobody where there is no such bridge. */
export async function neighboursOn(bridge: string): Promise<Neighbour[]> {
	const table = await read(join(interfaces, bridge, 'brforward'));
	if (table === undefined) return [];
	const ports = new Map<number, string>();
	for (const port of await namesIn(join(interfaces, bridge, 'brif'))) {
		const number = await read(join(interfaces, port, 'brport', 'port_no')); // as 0x1
		if (number !== undefined) ports.set(Number(number.toString()), port);
	}
	return parseForwarding(table).map(({ port, ...rest }) => ({ ...rest, port: ports.get(port) ?? `port ${port}` }));
}

/** `struct __fdb_entry` of include/uapi/linux/if_bridge.h. */
const entryBytes = 16;

export function parseForwarding(table: Buffer): (Omit<Neighbour, 'port'> & { port: number })[] {
	return Array.from({ length: Math.floor(table.length / entryBytes) }, (_none, at) => {
		const entry = table.subarray(at * entryBytes, (at + 1) * entryBytes);
		return {
			mac: [...entry.subarray(0, 6)].map(byte => byte.toString(16).padStart(2, '0')).join(':'),
			port: entry.readUInt8(6) | (entry.readUInt8(12) << 8),
			local: entry.readUInt8(7) !== 0,
		};
	});
}

/** Undefined when it is not there, or goes away meanwhile. */
async function read(path: string): Promise<Buffer | undefined> {
	try {
		return await readFile(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV')) return undefined;
		throw error;
	}
}
