import { rm } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import type { Machine, MachineObservation } from '../hypervisors/contract.ts';
import type { Power, PowerAction } from '../model/recovery.ts';
import type { HostParts } from './host-parts.ts';
import { definitionOfFinished, type MachineFile } from './machine-file.ts';
import { type RecoveryPlaces, recoveryPlaces } from './places.ts';
import type { RecoveryView } from './protocol.ts';
import { removeDirectory } from './remove-directory.ts';
import { lastingSteps } from './state.ts';
import { StepQueue } from './step-queue.ts';

/** A machine whose recovery is finished: its own record, its disks and the platform are all that it takes. */
export class FinishedMachine {
	readonly name: string;
	readonly recoveryId: string;
	readonly #file: MachineFile;
	readonly #places: RecoveryPlaces;
	readonly #machine: Machine;
	readonly #queue = new StepQueue(0);
	#seen: MachineObservation | undefined;

	constructor(host: HostParts, file: MachineFile) {
		this.name = file.name;
		this.recoveryId = file.recoveryId;
		this.#file = file;
		this.#places = recoveryPlaces(host.installation, file.name, file.recoveryId);
		this.#machine = host.hypervisor.machine(definitionOfFinished(file, this.#places));
	}

	power(action: PowerAction): Promise<{ power: Power }> {
		return this.#queue.run(`power-${action}`, 0, async () => {
			const before = await this.#machine.observe();
			if ((action === 'shutdown' || action === 'reset') && (!before.alive || before.power === 'off'))
				throw new RouseError('phase_wrong', `machine ${this.name} is off`, { hint: `rouse host start ${this.name}` });
			if (action === 'shutdown') await this.#machine.shutdown();
			else if (action === 'reset') await this.#machine.reset();
			else if (action === 'off') await this.#machine.powerOff();
			else {
				await this.#machine.powerOn('target');
				if (before.ioError) await this.#machine.resume();
			}
			this.#seen = await this.#machine.observe();
			return { power: this.#seen.power };
		});
	}

	/** Machine, disks, directory; machine.json, which protects the disks, goes last. */
	remove(): Promise<void> {
		return this.#queue.run('remove', 0, async () => {
			await this.#machine.remove();
			await this.#machine.close();
			for (const disk of this.#file.disks) await rm(disk.targetPath, { force: true });
			await removeDirectory(this.#places, this.#places.machine);
		});
	}

	/** With a look at the machine, unless something is being done to it. */
	async view(): Promise<RecoveryView> {
		if (!this.#queue.busy)
			await this.#queue.background(async () => {
				this.#seen = await this.#machine.observe();
			});
		const { ioError } = this.#seen ?? {};
		return {
			name: this.name,
			recoveryId: this.recoveryId,
			machineName: this.#file.machineName,
			generation: this.#file.generation,
			state: 'finished',
			done: [...lastingSteps],
			chain: 'target',
			sealed: true,
			power: this.#seen?.power ?? 'off',
			blocked: ioError
				? {
						code: ioError.noSpace ? 'space_short' : 'io_failed',
						reason: `the guest stands still: a ${ioError.operation} of ${ioError.disk} failed in ${this.#places.directory}`,
						next: `mend it, then: rouse host start ${this.name}`,
					}
				: null,
			disks: this.#file.disks.map(({ sizeBytes, targetPath }) => ({
				sizeBytes,
				restoredBytes: sizeBytes,
				path: targetPath,
			})),
			restored: true,
			copying: false,
			movers: [],
			switchPauseMs: this.#file.switchPauseMs,
			sockets: this.#machine.sockets,
			directory: this.#places.directory,
			incidents: 0,
		};
	}

	async close(): Promise<void> {
		await this.#queue.stop();
		await this.#machine.close();
	}
}
