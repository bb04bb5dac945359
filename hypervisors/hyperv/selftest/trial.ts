/** The throw-away machine of a self test, and what serves it. Nothing is made before it is asked for. */
import { join } from 'node:path';
import { asRouseError } from '../../../model/errors.ts';
import type { PlatformData } from '../../../model/hardware.ts';
import type { MachineConfig } from '../../../model/machine.ts';
import type { Chain } from '../../../model/recovery.ts';
import type { Machine, MachineDefinition, MoverGate } from '../../contract.ts';
import { type Overlay, parseHardware } from '../hardware.ts';
import { InTurn } from '../in-turn.ts';
import { HypervMachine } from '../machine.ts';
import { freshMemory, type HostSettings, type MachineParts } from '../parts.ts';
import { machinePaths } from '../paths.ts';
import { BaseServer } from './base-server.ts';
import { GeneratedDisk, generatedBytes } from './generated-disk.ts';
import { type Counters, putProgram, read } from './guest-program.ts';
import type { Times } from './times.ts';

/** By which people find it in Hyper-V Manager. */
export const machineName = 'rouse-selftest';

export interface TrialOptions {
	settings: HostSettings;
	recoveryId: string;
	/** Of each of its two disks. */
	diskBytes: number;
	/** Files of this test alone. */
	directory: string;
	/** The same for sockets. */
	runDirectory: string;
	times: Times;
	overlay: Overlay;
}

const memoryMiB = 64;
const diskCount = 2;

export class Trial {
	readonly settings: HostSettings;
	readonly times: Times;
	readonly definition: MachineDefinition;
	readonly parts: MachineParts;
	readonly machine: Machine;
	readonly server: BaseServer;
	/** How often its guest was started. */
	starts = 0;
	chain: Chain = 'mover';
	/** What came of the first start. */
	startFailure: { hresult: string | null; message: string } | undefined;
	counters: Counters | undefined;
	/** Files of it in its directory on the host that Windows has made, and nobody expected. */
	strays: string[] = [];

	constructor({ settings, recoveryId, diskBytes, directory, runDirectory, times, overlay }: TrialOptions) {
		const hardware = { ...commonHardware, overlay };
		this.settings = settings;
		this.times = times;
		this.definition = {
			recoveryId,
			machineName,
			config,
			hardware,
			nics: [],
			disks: numbers.map(number => ({
				name: `disk${number}`,
				sizeBytes: diskBytes,
				exports: { now: `disk${number}-now`, wait: `disk${number}` },
			})),
			allocate: 'start',
			directory,
			runDirectory,
			nbdSocket: join(runDirectory, 'nbd.sock'),
		};
		this.parts = {
			settings,
			definition: this.definition,
			hardware: parseHardware(hardware),
			paths: machinePaths(this.definition, settings.datastore),
			targetsInTurn: new InTurn(),
			seen: freshMemory(),
		};
		this.machine = new HypervMachine(this.definition, this.gate, settings);
		this.server = new BaseServer(
			this.definition.nbdSocket,
			numbers.map(number => generatedDisk(recoveryId, number, diskBytes)),
		);
	}

	/** Its mover answers always, when it is not the very thing that is tried. */
	get gate(): MoverGate {
		return {
			clear: async () => undefined,
			pass: work => work(),
			free: async () => false,
			reopen: async options => void (await this.machine.openTargets(options)),
		};
	}

	/** Reads of its guest that were answered. */
	get guestReads(): number {
		return this.server.disks[0]?.answered ?? 0;
	}

	async start(signal: AbortSignal): Promise<void> {
		this.starts += 1;
		try {
			await this.machine.powerOn('mover', { signal });
		} catch (error) {
			const { message, details } = asRouseError(error);
			const hresult = details?.['hresult'];
			this.startFailure ??= { message, hresult: typeof hresult === 'string' ? hresult : null };
			throw error;
		}
	}
}

const numbers = Array.from({ length: diskCount }, (_none, number) => number);
const sectors = { logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;

/** Generation 1: its BIOS starts a program of one sector. */
const commonHardware: PlatformData = {
	generation: 1,
	secureBoot: 'Off',
	memoryMiB,
	wholeTargets: false,
	disks: numbers.map(location => ({ slot: { controller: 'IDE', number: 0, location }, ...sectors })),
};

const config: MachineConfig = {
	cpus: 1,
	memoryMiB,
	firmware: 'bios',
	secureBoot: null,
	vtpm: null,
	efiVariables: null,
	nics: [],
	disks: numbers.map(position => ({ position, serial: null, ...sectors })),
	clock: 'utc',
	os: 'other',
	drivers: [],
	boot: null,
	origin: { kind: 'spec', detail: 'the self test' },
};

function generatedDisk(recoveryId: string, number: number, sizeBytes: number): GeneratedDisk {
	const name = `disk${number}`;
	const bytes = generatedBytes(`${recoveryId} ${name}`, sizeBytes);
	if (number === 0) putProgram(bytes);
	const isGuests = (offset: number, length: number) =>
		number === 0 && offset < read.offsetBytes + read.sizeBytes && offset + length > read.offsetBytes;
	return new GeneratedDisk(name, bytes, isGuests);
}
