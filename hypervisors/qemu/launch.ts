import { mkdir, open, stat } from 'node:fs/promises';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { Chain } from '../../model/recovery.ts';
import { isErrno } from '../../system/durable-file.ts';
import { inOwnScope } from '../../system/own-scope.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { spawnLocked } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import type { MachineDefinition } from '../contract.ts';
import { abortable } from './abortable.ts';
import { type Acceleration, variantOf } from './acceleration.ts';
import { commandLine } from './command-line.ts';
import { qemuEnvironment } from './confinement.ts';
import { codeFor } from './firmware.ts';
import { hardwareOf } from './hardware.ts';
import type { QemuHost } from './host.ts';
import type { MachineParts } from './machine-parts.ts';
import { openingMacvtaps } from './macvtap-devices.ts';
import { exists } from '../../system/if-there.ts';
import { inRoom, roomOf } from './own-room.ts';
import { checkSocketPaths, type MachinePaths } from './paths.ts';
import { whatRuns } from './process.ts';
import type { Qmp } from '../../qmp/client.ts';
import { records } from './record.ts';
import { startFailure } from './start-failure.ts';

/** Longer than QEMU itself waits for the mount mover (`open-timeout`, 30 s) before it gives up. */
const startTimeoutMs = 45_000;

/**
 * Starts QEMU, stopped, and has `begin` let its guest run. It cannot begin to run by itself: when this process dies in
 * between, nothing has happened to the guest. Throws `machine_failed`, with why and the end of QEMU's log, when QEMU ended.
 */
export async function launch(
	parts: MachineParts,
	chain: Chain,
	begin: (qmp: Qmp) => Promise<void>,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { definition, paths } = parts;
	const host = await parts.host();
	checkSocketPaths(paths);
	await checkOverlays(definition, paths, chain);
	await mkdir(definition.runDirectory, { recursive: true, mode: 0o700 });
	const acceleration = await accelerationOf(definition, paths, host);
	const endsWithGuest = await exists(paths.start); // it was handed over
	const args = await startArguments(definition, paths, host, chain, { acceleration, endsWithGuest, paused: true });
	const room = roomOf(await host.users.of(definition, paths), definition, paths);
	const program = await inRoom(room, { command: host.systemBinary, args }, openingMacvtaps(definition));
	const logBefore = await sizeOf(paths.log);
	signal?.throwIfAborted();
	try {
		await spawnLocked({
			lockPath: paths.lock,
			logPath: paths.log,
			...inOwnScope(program, paths.lock),
			env: qemuEnvironment(),
			cwd: '/', // holds no file system busy
		});
		await begin(abortable(await waitForMonitor(parts, signal), signal));
	} catch (thrown) {
		signal?.throwIfAborted();
		if (!(await hasEnded(parts, thrown))) throw thrown;
		throw startFailure(await logSince(paths.log, logBefore), acceleration.accelerator, thrown);
	}
}

/** Its accelerator may give up as late as when the guest is to run. */
async function hasEnded({ definition, paths }: MachineParts, thrown: unknown): Promise<boolean> {
	const { code } = asRouseError(thrown);
	if (code === 'machine_failed') return true;
	return code === 'hypervisor_failed' && (await whatRuns(definition, paths)) === 'nothing';
}

/** The arguments of this machine on this chain, whoever starts it. */
export async function startArguments(
	definition: MachineDefinition,
	paths: MachinePaths,
	host: QemuHost,
	chain: Chain,
	how: { acceleration: Acceleration; endsWithGuest: boolean; paused: boolean },
): Promise<string[]> {
	const efi = definition.config.firmware === 'efi';
	const firmwareCode = efi ? await codeFor(paths.vars, host.firmwares) : undefined;
	const hardware = hardwareOf(definition);
	return commandLine({ definition, hardware, paths, host, chain, firmwareCode, ...how });
}

/** How this machine is run: emulated for ever once it has fallen back, unless KVM is forced. */
export async function accelerationOf(
	definition: MachineDefinition,
	paths: MachinePaths,
	host: Pick<QemuHost, 'accelerationFor'>,
): Promise<Acceleration> {
	const fallenBack = (await records.read(definition, paths))?.acceleration?.fallenBack;
	const own = hardwareOf(definition).accelerator ?? undefined;
	return host.accelerationFor(variantOf(definition.config), own, fallenBack);
}

async function checkOverlays(definition: MachineDefinition, paths: MachinePaths, chain: Chain): Promise<void> {
	if (chain === 'target') return;
	for (const disk of definition.disks)
		if (!(await exists(paths.overlay(disk))))
			throw new RouseError('machine_failed', `${paths.overlay(disk)}: the protective snapshot is not there`);
}

/** Of one that runs; somebody else may have started it, and died, before it came so far as to answer. */
export async function monitorOf(parts: MachineParts, signal: AbortSignal | undefined): Promise<Qmp> {
	try {
		return await parts.monitor.open({ signal });
	} catch (thrown) {
		if (!isNobodyListening(thrown)) throw thrown;
		return waitForMonitor(parts, signal);
	}
}

async function waitForMonitor({ paths, monitor }: MachineParts, signal: AbortSignal | undefined): Promise<Qmp> {
	const deadline = performance.now() + startTimeoutMs;
	const connected = async () => {
		// Looked at first: between a failed connect and a lock that is free, QEMU cannot have come up.
		const alive = (await lockHolder(paths.lock)) !== undefined;
		const timeoutMs = Math.max(1_000, deadline - performance.now());
		try {
			return await monitor.open({ timeoutMs, signal });
		} catch (thrown) {
			signal?.throwIfAborted();
			if (!isNobodyListening(thrown)) throw thrown;
			if (!alive) throw new RouseError('machine_failed', 'QEMU ended while it started', { cause: thrown });
			return undefined;
		}
	};
	const what = `QEMU to answer on ${paths.supervisorMonitor}`;
	return waitFor(what, connected, { timeoutMs: startTimeoutMs, everyMs: 5, signal });
}

/** The socket is not bound yet, or QEMU went away before it greeted: looking at the lock tells which. */
function isNobodyListening(thrown: unknown): boolean {
	return asRouseError(thrown).code === 'hypervisor_failed';
}

async function sizeOf(path: string): Promise<number> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return 0;
		throw error;
	}
}

/** What QEMU said last: a message of an error quotes at most 2 KiB of it. */
async function logSince(path: string, from: number): Promise<string> {
	const file = await open(path, 'r');
	try {
		const { size } = await file.stat();
		const start = Math.max(from, size - 2048);
		const { bytesRead, buffer } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
		return buffer.toString('utf8', 0, bytesRead).trim();
	} finally {
		await file.close();
	}
}
