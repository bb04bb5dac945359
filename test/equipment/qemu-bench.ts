import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from '../../hypervisors/conformance.ts';
import type { MachineDefinition, Platform } from '../../hypervisors/contract.ts';
import { networksOfHost } from '../../hypervisors/qemu/host-networks.ts';
import { chooseDevices, type QemuPlatformOptions } from '../../hypervisors/qemu/choose-hardware.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { createQemuPlatform, type QemuOptions } from '../../hypervisors/qemu/platform.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { lockHolder, signalHolder } from '../../system/process-lock.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { QemuGuest } from './qemu-guest.ts';

export interface QemuBenchOptions {
	/** Puts something else in front of the real one: how wrong platforms are made. */
	wrap?: (platform: Platform) => Platform;
	options?: Partial<QemuOptions>;
	definition?: Partial<MachineDefinition>;
	/** What the machine was, and wishes for what it becomes. */
	config?: Partial<MachineConfig>;
	wishes?: QemuPlatformOptions;
	disks?: number;
	/** Shell commands before QEMU is started. */
	prelude?: string;
	/** What the firmware starts from the first disk; by default there is nothing. */
	bootSector?: Buffer;
}

export interface QemuBench extends Bench {
	directory: string;
	userGuest: QemuGuest;
}

/** Small, so that a case takes less than a second; odd in clusters (128 KiB), so that the last one is cut. */
const diskBytes = 3 * 1024 * 1024 + 5 * 512;

/**
 * A machine on real QEMU; `qemu-storage-daemon` stands for the mount mover, with the same export names. Under TCG, so that a
 * case means the same on every host and waits for no trial of KVM: these cases are about the block layer. What this host
 * really runs guests with is for guest/hypervisor-qemu-acceleration.
 */
export async function makeQemuBench(bench: QemuBenchOptions = {}): Promise<QemuBench> {
	const { wrap, options, definition, disks = 2, prelude = '', bootSector, wishes = {} } = bench;
	const directory = await mkdtemp(join(tmpdir(), 'rouse-qemu-'));
	const machine = join(directory, 'machine');
	const run = join(directory, 'run');
	await mkdir(machine);
	await mkdir(run);
	await mkdir(join(directory, 'mover'));
	const base: Buffer[] = [];
	for (let n = 0; n < disks; n++) {
		base.push(withBootSector(randomBytes(diskBytes), n === 0 ? bootSector : undefined));
		await writeFile(join(directory, `base${n}.raw`), base[n] ?? '');
	}
	const config = { ...benchConfig(disks), ...bench.config };
	const nics = definition?.nics ?? [{ mac: '52:54:00:00:00:01', network: 'default', target: 'none' }];
	const whole: MachineDefinition = {
		recoveryId: randomUUID(),
		machineName: 'bench',
		config,
		hardware: chooseDevices({ config, nics, options: {} }, wishes, await networksOfHost()).data,
		nics,
		disks: base.map((_content, n) => ({
			name: `disk${n}`,
			sizeBytes: diskBytes,
			exports: { now: `disk${n}-now`, wait: `disk${n}-wait` },
		})),
		allocate: 'start',
		directory: machine,
		runDirectory: run,
		nbdSocket: join(directory, 'mover', 'nbd.sock'),
		...definition,
	};
	const paths = machinePaths(whole);
	// Beside it: a machine's own user does not come into the directory.
	const programs = await mkdtemp(join(tmpdir(), 'rouse-qemu-program-'));
	await chmod(programs, 0o755);
	const real = createQemuPlatform({
		cacheDirectory: join(directory, 'cache'),
		datastore: machine,
		defaults: async () => ({ accelerator: 'tcg' }),
		systemBinary: await lineBufferedQemu(programs, prelude),
		...options,
	});
	const mover = new StorageDaemon(directory, whole);
	const guest = new QemuGuest(paths);
	const target = (n: number) => join(machine, `disk${n}.raw`);
	return {
		directory,
		platform: wrap ? wrap(real) : real,
		definition: whole,
		base,
		mover,
		content: n => readFile(target(n)),
		guest,
		userGuest: guest,
		fate: {
			kill: async () => void (await endHolder(paths.lock)),
			freeze: async () => {
				await signalHolder(paths.lock, 'SIGSTOP');
				await waitFor('QEMU to stand still', () => standsStill(paths.lock), { timeoutMs: 10_000 });
			},
			thaw: async () => void (await signalHolder(paths.lock, 'SIGCONT')),
			reboot: async () => {
				await endHolder(paths.lock);
				await mover.stop();
				await rm(run, { recursive: true });
			},
			loseTarget: n => rm(target(n)),
		},
		boot: async () => {
			const holder = await lockHolder(paths.lock);
			return holder && `${holder.pid} ${holder.startTicks}`;
		},
		leftovers: async () => {
			const files = [...(await readdir(machine)), ...(await readdir(run).catch(() => []))].toSorted();
			const holder = await lockHolder(paths.lock);
			return [...files.filter(name => !/^disk\d\.raw$/.test(name)), ...(holder ? [`process ${holder.pid}`] : [])];
		},
		dispose: async () => {
			guest.close();
			await endHolder(paths.lock);
			await mover.stop();
			await rm(directory, { recursive: true, force: true });
			await rm(programs, { recursive: true, force: true });
		},
	};
}

/** State `T` of proc(5), behind the command's name in parentheses. A signal that is sent need not have arrived. */
async function standsStill(lock: string): Promise<boolean> {
	const holder = await lockHolder(lock);
	return /\) T [^)]*$/.test(await readFile(`/proc/${holder?.pid ?? 0}/stat`, 'latin1'));
}

/** A machine that a host has room for many of. */
export function benchConfig(disks: number): MachineConfig {
	return {
		cpus: 1,
		memoryMiB: 32,
		firmware: 'bios',
		secureBoot: null,
		vtpm: null,
		efiVariables: null,
		nics: [],
		disks: Array.from({ length: disks }, (_none, position) => ({
			position,
			serial: null,
			logicalSectorBytes: 512,
			physicalSectorBytes: 512,
		})),
		clock: 'utc',
		os: 'linux',
		drivers: [],
		boot: null,
		origin: { kind: 'bench', detail: '' },
	};
}

/** Without a program the first sector is of one byte: to be compared with `read -P`, and not bootable. */
function withBootSector(content: Buffer, program: Buffer | undefined): Buffer {
	content.fill(0x5e, 0, 512);
	if (program === undefined) return content;
	content.set(program);
	content.set([0x55, 0xaa], 510);
	return content;
}

/** `qemu-io` inside QEMU answers on standard output, which a C library buffers when it is a file. */
async function lineBufferedQemu(directory: string, prelude: string): Promise<string> {
	const path = join(directory, 'qemu');
	await writeFile(path, `#!/bin/sh\n${prelude}\nexec stdbuf -oL qemu-system-x86_64 "$@"\n`, { mode: 0o755 });
	await chmod(path, 0o755); // for the machine's own user, whatever our umask is
	return path;
}

class StorageDaemon {
	readonly #directory: string;
	readonly #definition: MachineDefinition;
	#child: ChildProcess | undefined;

	constructor(directory: string, definition: MachineDefinition) {
		this.#directory = directory;
		this.#definition = definition;
	}

	async start(): Promise<void> {
		if (this.#child) return;
		const ready = join(this.#directory, 'mover.pid');
		await rm(ready, { force: true });
		const nodes = this.#definition.disks.flatMap((disk, n) => [
			'--blockdev',
			`driver=file,node-name=b${n},filename=${join(this.#directory, `base${n}.raw`)},read-only=on`,
			...['', '-now', '-wait'].flatMap(suffix => [
				'--export',
				`type=nbd,id=e${n}${suffix},node-name=b${n},name=${disk.name}${suffix}`,
			]),
		]);
		this.#child = spawn(
			'qemu-storage-daemon',
			['--nbd-server', `addr.type=unix,addr.path=${this.#definition.nbdSocket}`, ...nodes, '--pidfile', ready],
			{ stdio: ['ignore', 'inherit', 'inherit'] },
		);
		// The pidfile is written when all exports are up.
		await waitFor(
			'the storage daemon',
			() =>
				readFile(ready).then(
					() => true,
					() => false,
				),
			{ timeoutMs: 10_000 },
		);
		await chmod(this.#definition.nbdSocket, 0o666); // a mount mover gives it to the machine's user
	}

	async stop(): Promise<void> {
		const child = this.#child;
		if (child === undefined) return;
		this.#child = undefined;
		const gone = once(child, 'exit');
		child.kill('SIGKILL');
		await gone;
		await rm(this.#definition.nbdSocket, { force: true });
	}
}
