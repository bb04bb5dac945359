import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, GuestWrite } from '../../hypervisors/conformance.ts';
import type { MachineDefinition, Platform } from '../../hypervisors/contract.ts';
import type { ReadBase } from '../../hypervisors/simulated/read-base.ts';
import { freeze, kill, loseTarget, reboot } from '../../hypervisors/simulated/fate.ts';
import type { SimulatedGuest } from '../../hypervisors/simulated/guest.ts';
import { SimulatedHost, type SimulatedHostOptions } from '../../hypervisors/simulated/host.ts';
import { records } from '../../hypervisors/simulated/record.ts';
import { RouseError } from '../../model/errors.ts';

export interface SimulatedBenchOptions extends Partial<SimulatedHostOptions> {
	/** Puts something else in front of the real one: how wrong platforms are made. */
	wrap?: (platform: Platform, host: SimulatedHost) => Platform;
	definition?: Partial<MachineDefinition>;
}

export interface SimulatedBench extends Bench {
	host: SimulatedHost;
	simulatedGuest: SimulatedGuest;
	mover: Bench['mover'] & PretendMover;
}

/** Small, so that a case takes milliseconds; odd, so that no unit of anything divides it. */
const diskBytes = 768 * 1024 + 5 * 512;

/** Files that are written and synced all the time are best in memory. */
export async function fastDirectory(prefix: string): Promise<string> {
	return mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), prefix));
}

export async function makeSimulatedBench(options: SimulatedBenchOptions = {}): Promise<SimulatedBench> {
	const { wrap, definition: more, ...hostOptions } = options;
	const directory = await fastDirectory('rouse-simulated-');
	const places = { directory: join(directory, 'machine'), runDirectory: join(directory, 'run') };
	for (const place of Object.values(places)) await mkdir(place);
	const base = [randomBytes(diskBytes), randomBytes(diskBytes)];
	for (const content of base) content.fill(0x5e, 0, 512);
	const definition: MachineDefinition = {
		recoveryId: randomUUID(),
		machineName: 'bench',
		config: benchConfig,
		hardware: { controller: 'plain' },
		nics: [{ mac: '52:54:00:00:00:01', network: 'default', target: 'none' }],
		disks: base.map((_content, n) => ({
			name: `disk${n}`,
			sizeBytes: diskBytes,
			exports: { now: `disk${n}-now`, wait: `disk${n}-wait` },
		})),
		allocate: 'thin',
		...places,
		nbdSocket: join(directory, 'nbd.sock'),
		...more,
	};
	const mover = new PretendMover(base);
	const host = new SimulatedHost({ like: 'process', directory, readBase: mover.readBase, ...hostOptions });
	const guest = host.guest(definition);
	return {
		host,
		platform: wrap ? wrap(host.platform, host) : host.platform,
		definition,
		base,
		mover,
		content: disk => contentOf(host, definition, disk),
		guest: {
			write: (disk, write) => guest.write(disk, write.offsetBytes, dataOf(write)),
			reads: async (disk, { offsetBytes, lengthBytes, pattern }) =>
				(await guest.read(disk, offsetBytes, lengthBytes))?.every(byte => byte === pattern) === true,
			powersOff: async () => void guest.powerOff(),
		},
		simulatedGuest: guest,
		fate: {
			kill: async () => kill(host, definition),
			freeze: async () => freeze(host, definition, true),
			thaw: async () => freeze(host, definition, false),
			reboot: () => reboot(host, [definition]),
			loseTarget: disk => loseTarget(host, definition, disk),
		},
		boot: async () => guest.boot,
		leftovers: async () => {
			const files = [...(await readdir(places.directory)), ...(await readdir(places.runDirectory))];
			return files.filter(name => !/^disk\d\.target$/.test(name)).toSorted();
		},
		dispose: () => rm(directory, { recursive: true, force: true }),
	};
}

export const benchConfig: MachineDefinition['config'] = {
	cpus: 1,
	memoryMiB: 32,
	firmware: 'bios',
	secureBoot: null,
	vtpm: null,
	efiVariables: null,
	nics: [],
	disks: [0, 1].map(position => ({ position, serial: null, logicalSectorBytes: 512, physicalSectorBytes: 512 })),
	clock: 'utc',
	os: 'linux',
	drivers: [],
	boot: null,
	origin: { kind: 'spec', detail: '' },
};

/** Zeros are written as such: what a guest's unmap comes to. */
function dataOf({ lengthBytes, pattern }: GuestWrite): Buffer | number {
	return pattern === 0 ? lengthBytes : Buffer.alloc(lengthBytes, pattern);
}

/** Of a machine that is off: whatever layers its record tells of. */
export async function contentOf(host: SimulatedHost, definition: MachineDefinition, disk: number): Promise<Buffer> {
	const { paths, stacks } = host.partsOf(definition);
	const record = await records.read(definition, paths);
	const content = Buffer.alloc(definition.disks[disk]?.sizeBytes ?? 0);
	const layers = { below: record?.parents[disk] ?? 'mover', alone: record?.merged === true };
	const holes = stacks[disk]?.readFlushed(layers, 0, content);
	if (holes?.length !== 0) throw new Error(`disk${disk} still needs the mount mover`);
	return content;
}

/** A mount mover that answers at once, holds reads, or is not there. */
export class PretendMover {
	readonly #base: readonly Buffer[];
	#up = false;
	#held: PromiseWithResolvers<void> | undefined;
	#waiting = 0;

	constructor(base: readonly Buffer[]) {
		this.#base = base;
	}

	/** Reads of the guest that wait. */
	get waiting(): number {
		return this.#waiting;
	}

	start = async (): Promise<void> => {
		this.#up = true;
	};

	stop = async (): Promise<void> => {
		this.#up = false;
	};

	/** Reads wait from now on. */
	hold(): void {
		this.#held ??= Promise.withResolvers();
	}

	/** What waits is answered. */
	serve(): void {
		this.#held?.resolve();
		this.#held = undefined;
	}

	/** What waits gets an error; what comes next waits again. */
	failPending(): void {
		const held = this.#held;
		this.#held = Promise.withResolvers();
		held?.reject(new RouseError('io_failed', 'not at hand, and told not to wait'));
	}

	readBase: ReadBase = async (_definition, disk, offsetBytes, into, signal) => {
		if (!this.#up) throw new RouseError('mover_unreachable', 'no mount mover');
		if (into.length === 0) return;
		if (this.#held) await this.#wait(this.#held.promise, signal);
		this.#base[disk]?.copy(into, 0, offsetBytes, offsetBytes + into.length);
	};

	async #wait(held: Promise<void>, signal: AbortSignal): Promise<void> {
		this.#waiting += 1;
		const aborted = Promise.withResolvers<never>();
		const abort = () => aborted.reject(signal.reason);
		signal.addEventListener('abort', abort);
		try {
			await Promise.race([held, aborted.promise]);
		} finally {
			signal.removeEventListener('abort', abort);
			this.#waiting -= 1;
		}
	}
}
