import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { isErrno, replaceFileDurably } from '../system/durable-file.ts';
import { type Config, places } from '../system/installation.ts';
import { devServerAddress } from '../workers/temporal-server.ts';

const portsSchema = z.strictObject({ temporal: z.int().min(1).max(65535), ui: z.int().min(1).max(65535) });
export type Ports = z.infer<typeof portsSchema>;

const portsPath = (home: string) => join(places.temporal(home), 'ports.json');

export async function readPorts(home: string): Promise<Ports | undefined> {
	try {
		return portsSchema.parse(JSON.parse(await readFile(portsPath(home), 'utf8')));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

/**
 * The embedded server's ports, for a server that does not run now: those of the configuration, else those of last time
 * while they are free, else others. So two installations never meet, and an address stays as long as it can.
 */
export async function choosePorts(home: string, configured: Config['ports']): Promise<Ports> {
	const before = await readPorts(home);
	const temporal = await choose('temporal', configured.temporal, before?.temporal);
	const ui = await choose('ui', configured.ui, before?.ui, temporal);
	const ports = { temporal, ui };
	await mkdir(places.temporal(home), { recursive: true });
	await replaceFileDurably(portsPath(home), `${JSON.stringify(ports)}\n`);
	return ports;
}

async function choose(
	what: keyof Ports,
	configured: number | undefined,
	before: number | undefined,
	taken?: number,
): Promise<number> {
	if (configured !== undefined) {
		if (await isFree(configured)) return configured;
		throw new RouseError('precheck_failed', `port ${configured} (ports.${what} in config.yaml) is in use`, {
			hint: 'choose another, or leave it out: a free one is taken then',
		});
	}
	if (before !== undefined && before !== taken && (await isFree(before))) return before;
	for (;;) {
		const port = await freePort();
		if (port !== taken) return port;
	}
}

async function isFree(port: number): Promise<boolean> {
	try {
		await listenOnce(port);
		return true;
	} catch (error) {
		if (isErrno(error, 'EADDRINUSE') || isErrno(error, 'EACCES')) return false;
		throw error;
	}
}

function freePort(): Promise<number> {
	return listenOnce(0);
}

function listenOnce(port: number): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once('error', reject);
		server.listen(port, devServerAddress, () => {
			const address = server.address();
			const found = typeof address === 'object' && address !== null ? address.port : port;
			server.close(() => resolve(found));
		});
	});
}
