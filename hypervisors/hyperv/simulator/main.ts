/**
 * `node main.ts CONFIG`: a simulated Windows host as a process, whose life is the host's power. SIGKILL is power loss, a new
 * start over the same directory the next boot; SIGTERM is a shutdown, which saves the machines. Says `ready` in a line of
 * its standard output.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { setPrivateUmask } from '../../../system/private-umask.ts';
import { ApplianceInQemu } from './appliance-in-qemu.ts';
import { ApplianceKernel } from './appliance-kernel.ts';
import { serveConsoles } from './console-server.ts';
import { answerControl } from './control.ts';
import { answerDriver } from './driver-lines.ts';
import { IscsiInitiator } from './iscsi-initiator.ts';
import { serveLines } from './json-lines.ts';
import { startSshServer } from './ssh/server.ts';
import { WindowsHost } from './windows-host.ts';

const simulatorConfigSchema = z.strictObject({
	/** Named pipes are Unix sockets in `pipes` of it. */
	directory: z.string(),
	/** What the driver is asked: driver/wire.ts, a connection a session. */
	driverSocket: z.string(),
	/** Pipes of its machines: console-server.ts. */
	consoleSocket: z.string(),
	/** What tests tell it: control.ts. */
	controlSocket: z.string(),
	applianceId: z.string(),
	/** Where `sys` and `dev` of the appliance are; or it is a machine of QEMU, whose console is a file. */
	appliance: z.union([
		z.strictObject({ directory: z.string() }),
		z.strictObject({ qmpSocket: z.string(), consolePath: z.string() }),
	]),
	/** With it the host is reached over SSH too, by keys that are made in this directory (ssh/server.ts). */
	ssh: z
		.strictObject({ directory: z.string(), address: z.string().optional(), port: z.int().min(1).max(65_535) })
		.optional(),
	/** After which the initiator gives up. */
	patienceMs: z.int().min(1).default(60_000),
	computerName: z.string().default('HV1'),
	switches: z
		.array(z.strictObject({ name: z.string(), type: z.enum(['External', 'Internal', 'Private']) }))
		.default([{ name: 'lan', type: 'External' }]),
	addresses: z
		.array(z.strictObject({ address: z.ipv4(), prefixLength: z.int() }))
		.default([{ address: '192.0.2.10', prefixLength: 24 }]),
});
export type SimulatorConfig = z.input<typeof simulatorConfigSchema>;

async function run(path: string): Promise<void> {
	const config = simulatorConfigSchema.parse(JSON.parse(await readFile(path, 'utf8')));
	const { directory, patienceMs, applianceId, appliance, computerName, switches, addresses } = config;
	const host = await WindowsHost.boot({
		directory,
		applianceId,
		computerName,
		switches,
		addresses,
		processors: 4,
		initiator: new IscsiInitiator(join(directory, 'iscsi'), { patienceMs }),
		appliance: 'directory' in appliance ? new ApplianceKernel(appliance.directory) : new ApplianceInQemu(appliance),
		onPowerLoss: () => process.kill(process.pid, 'SIGKILL'),
	});
	await serveLines(config.controlSocket, answerControl(host));
	await serveConsoles(config.consoleSocket, directory);
	await serveLines(config.driverSocket, answerDriver(host));
	const { ssh, driverSocket, consoleSocket } = config;
	const server = ssh && (await startSshServer({ ...ssh, driverSocket, consoleSocket, root: host.root }));
	process.once('SIGTERM', () => {
		void Promise.all([host.shutDown(), server?.stop()]).then(() => process.exit());
	});
	console.log('ready');
}

if (import.meta.main) {
	setPrivateUmask();
	await run(process.argv[2] ?? '');
}
