import { randomUUID } from 'node:crypto';
import type { DiskChain } from './disk-chain.ts';
import type { SerialConsole } from './serial-console.ts';
import type { Unflushed, Vm } from './state.ts';

export interface RunningDisk {
	/** Of the drive's file, as the machine names it; another one when its checkpoint is merged. */
	path: string;
	chain: DiskChain;
}

/** A machine's process (vmwp.exe), its guest, and what it has in memory. */
export class RunningVm {
	readonly vmId: string;
	readonly memoryMiB: number;
	/** Another one with each boot of the guest; undefined when its firmware finds nothing to boot. */
	guestBoot: string | undefined;
	readonly startedAtMs = performance.now();
	readonly disks: RunningDisk[];
	state: 'Running' | 'Paused' | 'PausedCritical' = 'Running';
	/** It answers nobody, and its guest stands still. */
	isFrozen = false;
	hasEnded = false;
	/** What the guest has written and not flushed, in its order. */
	unflushed: Unflushed[];
	#requests = 0;
	#isAlone = false;
	#alone: Promise<void> = Promise.resolve();
	#changed = Promise.withResolvers<void>();
	#turn: Promise<void> = Promise.resolve();

	readonly #console: SerialConsole | undefined;

	constructor(vm: Vm, disks: RunningDisk[], console: SerialConsole | undefined) {
		this.#console = console;
		this.vmId = vm.vmId;
		this.memoryMiB = vm.memoryMiB;
		this.disks = disks;
		this.guestBoot = vm.saved?.guestBoot ?? (canBoot(vm) ? randomUUID() : undefined);
		this.unflushed = [...(vm.saved?.unflushed ?? [])];
	}

	/** As if the reset button were pressed: what the guest had in memory is gone. */
	restartGuest(): void {
		this.unflushed = [];
		if (this.guestBoot !== undefined) this.guestBoot = randomUUID();
		this.change(() => (this.state = 'Running'));
	}

	get takesRequests(): boolean {
		return this.state === 'Running' && !this.isFrozen && !this.#isAlone;
	}

	/** Of the guest to its disks. */
	async request<T>(work: () => Promise<T>): Promise<T> {
		this.#requests += 1;
		try {
			return await work();
		} finally {
			this.change(() => (this.#requests -= 1));
		}
	}

	/** No request is at its disks meanwhile; those that come wait. */
	async alone(work: () => Promise<void>): Promise<void> {
		this.#isAlone = true;
		await this.until(() => this.#requests === 0);
		const alone = work();
		this.#alone = alone.catch(() => undefined);
		try {
			await alone;
		} finally {
			this.change(() => (this.#isAlone = false));
		}
	}

	/** One after another, whatever becomes of the one before. */
	async inTurn(work: () => Promise<void>): Promise<void> {
		const before = this.#turn;
		const turn = (async () => {
			await before.catch(() => undefined);
			await work();
		})();
		this.#turn = turn;
		await turn;
	}

	change(work: () => void): void {
		work();
		this.#changed.resolve();
		this.#changed = Promise.withResolvers();
	}

	/** Resolves once `is` says so; looks whenever something of the machine has changed. */
	async until(is: () => boolean): Promise<void> {
		while (!is()) await this.#changed.promise;
	}

	/** Its files are closed when it returns. */
	async end(): Promise<void> {
		this.change(() => (this.hasEnded = true));
		await this.#alone;
		for (const { chain } of this.disks) await chain.close();
		await this.#console?.close();
	}
}

/**
 * Generation 1 boots from IDE only, generation 2 from SCSI only:
 * https://learn.microsoft.com/windows-server/virtualization/hyper-v/plan/should-i-create-a-generation-1-or-2-virtual-machine-in-hyper-v
 */
function canBoot({ generation, drives }: Vm): boolean {
	return drives.some(({ slot }) => slot.controller === (generation === 1 ? 'IDE' : 'SCSI'));
}
