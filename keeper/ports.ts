import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { isErrno, replaceFileDurably } from '../system/durable-file.ts';
import { type Config, places } from '../system/installation.ts';
import { devServerAddress } from '../workers/temporal-server.ts';
import { freePort, isFreePort } from '../system/free-port.ts';

const portSchema = z.int().min(1).max(65535);
/** `inside`: where the server itself listens, behind its forwarder; missing in a file of before there was one. */
const portsSchema = z.object({
	temporal: portSchema,
	inside: z.object({ temporal: portSchema, ui: portSchema }).optional(),
});
export type Ports = z.infer<typeof portsSchema>;
export interface ChosenPorts {
	/** Of the door: where Temporal is reached. */
	temporal: number;
	inside: { temporal: number; ui: number };
}

/** In a network namespace of its own nobody else has taken them: Temporal's own defaults. */
const usualPorts = { temporal: 7233, ui: 8233 } as const;

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
 * The embedded server's ports, for a server that does not run now: that of the configuration, else that of last time while
 * it is free, else another. So two installations never meet, and an address stays as long as it can.
 */
export async function choosePorts(
	home: string,
	configured: Pick<Config['ports'], 'temporal'>,
	{ isolated = true } = {},
): Promise<ChosenPorts> {
	const before = await readPorts(home);
	const temporal = await choose(configured.temporal, before?.temporal);
	const inside = isolated
		? usualPorts
		: { temporal: await freePort(devServerAddress), ui: await freePort(devServerAddress) };
	const ports = { temporal, inside };
	await mkdir(places.temporal(home), { recursive: true });
	await replaceFileDurably(portsPath(home), `${JSON.stringify(ports)}\n`);
	return ports;
}

async function choose(configured: number | undefined, before: number | undefined): Promise<number> {
	if (configured !== undefined) {
		if (await isFreePort(configured, devServerAddress)) return configured;
		throw new RouseError('precheck_failed', `port ${configured} (ports.temporal in config.yaml) is in use`, {
			hint: 'choose another, or leave it out: a free one is taken then',
		});
	}
	return before !== undefined && (await isFreePort(before, devServerAddress)) ? before : freePort(devServerAddress);
}
