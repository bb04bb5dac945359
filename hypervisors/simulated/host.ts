import { statfs } from 'node:fs/promises';
import { isolatedNetwork } from '../../model/isolated-network.ts';
import { systemClock } from '../../system/clock.ts';
import type { MachineDefinition, Platform } from '../contract.ts';
import { BlockJournal } from './block-journal.ts';
import { DiskStack } from './disk-stack.ts';
import { SimulatedFaults } from './faults.ts';
import { SimulatedGuest } from './guest.ts';
import { chooseHardware } from './hardware.ts';
import { hostBoot } from './host-boot.ts';
import { SimulatedMachine } from './machine.ts';
import { MachineMemory } from './memory.ts';
import type { HostSettings, MachineParts } from './parts.ts';
import { machinePaths } from './paths.ts';
import { processManner } from './process.ts';
import { Running } from './run-state.ts';
import { serviceManner } from './service.ts';

export type MannerName = 'process' | 'service';

/** What is left out is as of a host that has no faults. */
export type SimulatedHostOptions = Pick<HostSettings, 'directory' | 'readBase'> &
	Partial<Omit<HostSettings, 'manner'>> & {
		/** QEMU's manner, or Hyper-V's. */
		like: MannerName;
	};

const manners = { process: processManner, service: serviceManner };

/**
 * A host whose machines are files and nothing else. It keeps in memory only what a guest has asked of the mount mover:
 * another one over the same files, in this process or the next, finds every machine as it is.
 */
export class SimulatedHost {
	readonly settings: HostSettings;
	readonly #memories = new Map<string, MachineMemory>();

	constructor({ like, memoryMiB = 1024 * 1024, ...options }: SimulatedHostOptions) {
		this.settings = {
			manner: manners[like],
			faults: new SimulatedFaults(),
			clock: systemClock,
			fallBack: undefined,
			networks: ['lan'],
			macsInUse: [],
			memoryMiB,
			cpus: 64,
			freeMiB: () => memoryMiB,
			takenMiB: () => 0,
			freeBytes: () => freeBytesOf(options.directory),
			stuckMs: 10_000,
			...options,
		};
	}

	get platform(): Platform {
		const { settings } = this;
		const memory = () => ({ totalMiB: settings.memoryMiB, freeMiB: settings.freeMiB() });
		return {
			kind: 'simulated',
			report: async () => ({
				name: 'simulated',
				version: '0',
				accelerator: 'none',
				firmwares: ['bios', 'efi'],
				networks: [isolatedNetwork, ...settings.networks].map(name => ({ name, description: 'leads nowhere' })),
				freeBytes: await settings.freeBytes(),
				memory: memory(),
				warnings: [],
				unusable: undefined,
			}),
			resources: { everyMs: 0, look: async () => ({ memory: memory(), cpus: settings.cpus }) },
			bootId: async () => `boot-${await hostBoot(settings.directory)}`,
			chooseHardware: async request => chooseHardware(settings, request),
			machine: (definition, gate) => new SimulatedMachine(this.partsOf(definition), gate),
		};
	}

	guest(definition: MachineDefinition): SimulatedGuest {
		return new SimulatedGuest(() => this.partsOf(definition));
	}

	partsOf(definition: MachineDefinition): MachineParts {
		const { settings } = this;
		const paths = machinePaths(definition);
		const memory = this.#memoryOf(definition);
		const journal = (path: string, sizeBytes: number) => memory.journal(path, () => new BlockJournal(path, sizeBytes));
		const stacks = definition.disks.map(disk => {
			const target = { path: paths.target(disk), offsetBytes: settings.manner.targets.offsetBytes };
			const { sizeBytes } = disk;
			return new DiskStack(journal(paths.overlay(disk), sizeBytes), journal(paths.unflushed(disk), sizeBytes), target);
		});
		const running = new Running(definition, paths, memory);
		const forget = () => void this.#memories.delete(keyOf(definition));
		return { settings, definition, paths, memory, running, stacks, forget };
	}

	#memoryOf(definition: MachineDefinition): MachineMemory {
		const key = keyOf(definition);
		const known = this.#memories.get(key) ?? new MachineMemory();
		this.#memories.set(key, known);
		return known;
	}
}

function keyOf({ recoveryId, directory }: MachineDefinition): string {
	return `${recoveryId} ${directory}`;
}

async function freeBytesOf(directory: string): Promise<number> {
	const { bavail, bsize } = await statfs(directory);
	return bavail * bsize;
}
