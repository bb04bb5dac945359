/** The volume as a disk of the Windows host: an iSCSI target here, a session and a mount point there. */
import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { targetOf } from './base-target.ts';
import { chapUser } from './iscsi/chap.ts';
import { isAlive, startTarget, stopTarget, targetRuns } from './iscsi/target.ts';
import type { CallOptions } from '../contract.ts';
import type { Call, MachineParts } from './parts.ts';
import { type MachineRecord, records } from './record.ts';
import { returnTargets } from './targets.ts';
import { checkServed, isServed } from './volume.ts';
import { isFreePort } from '../../system/free-port.ts';

/** Below those that the kernel gives to outgoing connections: ip_local_port_range of ip(7). */
const ports = { from: 20_000, to: 30_000 } as const;
const portTries = 100;

/** How long a look waits for Windows, which goes on with what it was asked for: a session that was lost comes back in seconds. */
const keepMs = 10_000;

/** See `Machine.presentBase`. */
export async function presentBase(call: Call): Promise<void> {
	const { parts, gate, options } = call;
	const { definition, paths, seen } = parts;
	// Without them the mount mover does not start, and nobody else gives back what a switch has taken.
	await returnTargets(call);
	const record = await records.of(definition, paths);
	// The mover is kept alive, and nothing is failed: a host that waits goes on when it is answered.
	await gate.pass(async () => {
		await checkServed(parts, options);
		const withPort = await withFreePort(parts, record, options);
		await startTarget(targetOf(parts, withPort.iscsi), options);
		await connect(parts, withPort, options);
	}, options);
	seen.base = 'presented';
}

/**
 * See `Machine.keepBase`. At its port, whoever has that meanwhile: Windows takes a volume in use from nobody, and so it cannot
 * be told of another one.
 */
export async function keepBase({ parts, gate, options }: Call): Promise<boolean> {
	const { definition, paths, seen } = parts;
	const record = await records.of(definition, paths);
	const target = targetOf(parts, record.iscsi);
	if (seen.base === 'presented' && (await isAlive(target))) return false;
	await gate.pass(async () => {
		if (!(await targetRuns(target, options))) {
			await checkServed(parts, options);
			seen.base = 'anew';
			await startTarget(target, options);
		}
		await connect(parts, record, { ...options, timeoutMs: keepMs });
	}, options);
	const isAnew = seen.base === 'anew';
	seen.base = 'presented';
	return isAnew;
}

/**
 * Windows knows it no more, and nothing of it runs here. MAY find nothing. Where the mount mover is away, Windows would wait to
 * write its metadata: its session is cut first, and it gives that up.
 */
export async function withdrawBase(
	parts: MachineParts,
	{ iscsi }: Pick<MachineRecord, 'iscsi'>,
	options: CallOptions,
): Promise<void> {
	const { paths, seen } = parts;
	seen.base = 'unknown';
	if (!(await isServed(parts))) await stopTarget({ directory: paths.iscsi });
	await disconnect(parts, iscsi, options);
	await stopTarget({ directory: paths.iscsi });
	await rm(paths.iscsi, { recursive: true, force: true });
}

/** One on which nobody listens. */
export async function freeTargetPort(address: string): Promise<number> {
	for (let tries = 0; tries < portTries; tries++) {
		const port = randomInt(ports.from, ports.to);
		if (await isFreePort(port, address)) return port;
	}
	throw new RouseError('hypervisor_failed', `no port is free on ${address}, of ${portTries} that were tried`, {
		hint: 'look whether this machine has that address',
	});
}

async function connect(
	{ settings, definition, paths }: MachineParts,
	{ iscsi, volume: { diskGuid, partitionGuid } }: MachineRecord,
	options: CallOptions & { timeoutMs?: number },
): Promise<void> {
	await settings.driver.ask(
		'connect-volume',
		{
			recoveryId: definition.recoveryId,
			portal: { address: settings.address, port: iscsi.port },
			iqn: iscsi.iqn,
			chapUser,
			chapSecret: iscsi.chapSecret,
			diskGuid,
			partitionGuid,
			accessPath: paths.windows.base,
			files: definition.disks.map(disk => paths.windows.baseFile(disk)),
		},
		options,
	);
}

async function disconnect(
	{ settings, definition: { recoveryId }, paths }: MachineParts,
	{ iqn, port }: MachineRecord['iscsi'],
	options: CallOptions,
): Promise<void> {
	const portal = { address: settings.address, port };
	const request = { recoveryId, portal, iqn, accessPath: paths.windows.base };
	await settings.driver.ask('disconnect-volume', request, options);
}

/** While the target was down somebody else may have taken its port: then Windows is told of another. */
async function withFreePort(parts: MachineParts, record: MachineRecord, options: CallOptions): Promise<MachineRecord> {
	const { settings, definition, paths } = parts;
	const target = targetOf(parts, record.iscsi);
	if (await targetRuns(target)) return record;
	await stopTarget(target); // half of it may be what holds the port
	if (await isFreePort(record.iscsi.port, settings.address)) return record;
	await disconnectFromPort(parts, record.iscsi, options);
	const iscsi = { ...record.iscsi, port: await freeTargetPort(settings.address) };
	await records.change(definition, paths, { iscsi });
	return { ...record, iscsi };
}

/** Windows would take the volume from a guest that runs: then it can be told of no other port. */
async function disconnectFromPort(
	parts: MachineParts,
	iscsi: MachineRecord['iscsi'],
	options: CallOptions,
): Promise<void> {
	try {
		await disconnect(parts, iscsi, options);
	} catch (cause) {
		if (asRouseError(cause).details?.['driver'] !== 'state_wrong') throw cause;
		const { settings, definition } = parts;
		throw new RouseError(
			'host_busy',
			`somebody else has ${settings.address}:${iscsi.port}, where ${definition.machineName}, which is on, has its volume from`,
			{ cause, hint: 'end what has that port' },
		);
	}
}
