/** A simulated Windows host for the self test, in whose machines somebody does what the test's own program would. */
import { PassThrough } from 'node:stream';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { SelftestReport } from '../../model/selftest.ts';
import { asRouseError } from '../../model/errors.ts';
import { driverError } from '../../hypervisors/hyperv/driver/errors.ts';
import type { Driver } from '../../hypervisors/hyperv/driver/driver.ts';
import type { HostSettings } from '../../hypervisors/hyperv/parts.ts';
import {
	countersOf,
	type Counters,
	putProgram,
	read,
	written,
} from '../../hypervisors/hyperv/selftest/guest-program.ts';
import { selftest, type SelftestOptions } from '../../hypervisors/hyperv/selftest/selftest.ts';
import { machineName } from '../../hypervisors/hyperv/selftest/trial.ts';
import type { Times } from '../../hypervisors/hyperv/selftest/times.ts';
import { ApplianceKernel } from '../../hypervisors/hyperv/simulator/appliance-kernel.ts';
import { inProcessDriver } from '../../hypervisors/hyperv/simulator/in-process-driver.ts';
import { IscsiInitiator } from '../../hypervisors/hyperv/simulator/iscsi-initiator.ts';
import type { AnswerLine } from '../../hypervisors/hyperv/simulator/json-lines.ts';
import { WindowsHost } from '../../hypervisors/hyperv/simulator/windows-host.ts';
import { namesIn } from '../../system/names-in.ts';
import { temporaryDirectory } from './captive.ts';

const applianceId = 'a0a0a0a0-1111-4222-8333-444444444444';
const MiB = 2 ** 20;
const sectorBytes = 512;

/** Of each of its two disks. */
export const diskBytes = 4 * MiB;

/** After which the simulated initiator gives up: longer than anything takes here that is not meant to take it. */
const usualPatienceMs = 30_000;

export const hastyTimes: Times = {
	heldMs: 400,
	longHeldMs: 400,
	awayMs: 400,
	longAwayMs: 400,
	goesOnMs: 10_000,
	lookEveryMs: 20,
	loadMs: 50,
};

export interface SelftestHost {
	host: WindowsHost;
	settings: HostSettings;
	directory: string;
	/** For one who asks it by another way: it must know whose machine is asked for. */
	heard(this: void, answer: AnswerLine): AnswerLine;
	/** Of Windows, with the files of the machine that was asked for last. */
	folder(this: void): string;
	/** Of every request so far. */
	asked: string[];
	/** Runs it to its end. */
	run(this: void, more?: Partial<SelftestOptions>): Promise<SelftestReport>;
	/** All that a self test could have left: on the host's drives, its machines, the appliance's disks, files here. */
	leftovers(this: void): Promise<string[]>;
}

/** Takes root, or FUSE for users. */
export async function selftestHost(
	t: Pick<TestContext, 'after'>,
	{ patienceMs = usualPatienceMs } = {},
): Promise<SelftestHost> {
	let close: () => Promise<void> = async () => undefined;
	const directory = await temporaryDirectory(t, () => close());
	const kernel = new ApplianceKernel(join(directory, 'appliance'));
	const host = await WindowsHost.boot({
		directory: join(directory, 'windows'),
		applianceId,
		computerName: 'HV1',
		processors: 4,
		switches: [{ name: 'LAN', type: 'External' }],
		initiator: new IscsiInitiator(join(directory, 'sessions'), { patienceMs }),
		appliance: kernel,
	});
	const asked: string[] = [];
	let machine: string | undefined;
	const plain = inProcessDriver(() => host, driverError);
	const driver: Driver = {
		ask: (name, request, options) => {
			asked.push(name);
			if ('recoveryId' in request) machine = request.recoveryId;
			return plain.ask(name, request, options);
		},
	};
	const settings: HostSettings = {
		driver,
		pipes: { open: async () => new PassThrough() },
		datastore: 'D:\\Rouse',
		appliance: applianceId,
		address: '127.0.0.1',
		roots: kernel.roots,
		lookMs: 3_000,
		overlay: async () => ({ overlay: 'child' }),
	};
	const ended = new AbortController();
	const guest = playProgram(() => host.guest(machine ?? 'none'), ended.signal);
	const directories = { directory: join(directory, 'selftest'), runDirectory: join(directory, 'run') };
	await mkdir(directories.runDirectory);
	close = async () => {
		ended.abort();
		await host.losePower();
		await guest;
		await kernel.close();
	};
	return {
		host,
		settings,
		directory: directories.directory,
		asked,
		heard: answer => document => {
			const of = z.looseObject({ recoveryId: z.string().optional() }).parse(document).recoveryId;
			machine = of ?? machine;
			return answer(document);
		},
		folder: () => `${settings.datastore}\\${machineName}-${(machine ?? '').slice(0, 8)}`,
		run: more =>
			selftest({
				settings,
				...directories,
				version: '0.0.0',
				cmdlets: { 'Get-VM': ['Id'] },
				long: false,
				signal: new AbortController().signal,
				diskBytes,
				times: hastyTimes,
				message: () => undefined,
				trying: () => undefined,
				tell: () => undefined,
				...more,
			}),
		leftovers: async () => {
			const places = [join(host.root, 'D'), directories.directory, directories.runDirectory];
			const files = await Promise.all(places.map(filesBelow));
			const disks = await namesIn(join(kernel.roots.sys, 'block'));
			const vm = machine === undefined ? null : await plain.ask('observe', { recoveryId: machine });
			return [...files.flat(), ...disks, ...(vm ? [vm.name] : [])];
		},
	};
}

async function filesBelow(path: string): Promise<string[]> {
	const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
	return entries.filter(entry => !entry.isDirectory()).map(({ name }) => name);
}

/** As guest-program.ts has it in instructions: counters are in memory from one boot to the next. */
async function playProgram(guest: () => ReturnType<WindowsHost['guest']>, signal: AbortSignal): Promise<void> {
	let of: string | undefined;
	let counters: Counters = { boots: 0, rounds: 0, failures: 0 };
	while (!signal.aborted) {
		try {
			const { boot } = guest();
			if (boot !== undefined && boot !== of) {
				const found = countersOf(await beginning(guest()));
				if (found) counters = { ...found, boots: found.boots + 1 };
				of = boot;
			}
			if (boot !== undefined) await round(guest(), counters);
		} catch (error) {
			if (asRouseError(error).code !== 'machine_failed') throw error;
		}
		await delay(10);
	}
}

async function round(guest: ReturnType<WindowsHost['guest']>, counters: Counters): Promise<void> {
	counters.rounds += 1;
	await guest.write(0, written.offsetBytes, sectorOf(counters));
	await guest.flush();
	const sector = counters.rounds % (read.sizeBytes / sectorBytes);
	await guest.read(0, read.offsetBytes + sector * sectorBytes, sectorBytes);
}

async function beginning(guest: ReturnType<WindowsHost['guest']>): Promise<Buffer> {
	return await guest.read(0, 0, written.offsetBytes + written.sizeBytes);
}

function sectorOf({ boots, rounds, failures }: Counters): Buffer {
	const disk = Buffer.alloc(written.offsetBytes + written.sizeBytes);
	putProgram(disk);
	const sector = disk.subarray(written.offsetBytes);
	for (const [at, number] of [boots, rounds, failures].entries()) sector.writeUInt32LE(number, 4 + 4 * at);
	return sector;
}
