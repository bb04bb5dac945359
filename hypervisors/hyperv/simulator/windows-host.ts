/**
 * A simulated Windows host with Hyper-V. It speaks the driver's protocol and keeps real files: VHDX that other tools read,
 * behind rules that are listed with their sources in rules.ts. Whatever runs against it proves our side of the protocol, and
 * that Rouse copes with those rules; it proves nothing of what a real Hyper-V does.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { asRouseError } from '../../../model/errors.ts';
import { type AnswerOf, type OperationName, operations } from '../driver/requests.ts';
import type { DriverFailure } from '../driver/wire.ts';
import { Appliance } from './appliance.ts';
import { addApplianceCheckpoint, addCheckpoint } from './cmdlets/checkpoint.ts';
import { SessionDropped, WindowsFaults } from './faults.ts';
import { ScriptedGuest } from './guest.ts';
import { NamedLocks } from './locks.ts';
import { OpenFiles } from './open-files.ts';
import { mergeInBackground } from './merge-checkpoint.ts';
import { DriverRefusal } from './operations/failure.ts';
import { isMachineOf } from './operations/find-machine.ts';
import { perform } from './operations/perform.ts';
import type { HostParts, WindowsSettings } from './parts.ts';
import { breaks, WindowsError } from './rules.ts';
import { StateStore } from './state.ts';
import { endProcess } from './vm-process.ts';

export type Answer<Name extends OperationName> =
	| { ok: true; result: AnswerOf<Name> }
	| { ok: false; error: DriverFailure };

/** One boot of the host. Another one over the same directory is the next. */
export class WindowsHost {
	readonly #parts: HostParts;
	#ended: Promise<void> | undefined;

	private constructor(parts: HostParts) {
		this.#parts = parts;
	}

	/** Faults and conditions are as usual, whatever they were in an earlier boot. */
	static async boot(settings: WindowsSettings): Promise<WindowsHost> {
		const root = join(settings.directory, 'drives');
		await mkdir(root, { recursive: true });
		const store = await StateStore.open(join(settings.directory, 'host.json'));
		store.state.boots += 1;
		await store.save();
		let host: WindowsHost | undefined;
		const openFiles = new OpenFiles();
		const parts: HostParts = {
			settings,
			root,
			bootId: `boot-${store.state.boots}`,
			store,
			state: store.state,
			faults: new WindowsFaults(settings.onPowerLoss ?? (() => void host?.losePower())),
			openFiles,
			locks: new NamedLocks(settings.lockMs ?? 60_000),
			appliance: new Appliance(root, openFiles, settings.appliance),
			running: new Map(),
			merges: new Map(),
			sessions: new Map(),
		};
		host = new WindowsHost(parts);
		await settings.initiator.boot();
		await parts.appliance.boot(parts);
		for (const vm of parts.state.vms) if (vm.merging) mergeInBackground(parts, vm);
		return host;
	}

	/** For tests of a single cmdlet. */
	get parts(): HostParts {
		return this.#parts;
	}

	get faults(): WindowsFaults {
		return this.#parts.faults;
	}

	get bootId(): string {
		return this.#parts.bootId;
	}

	/** Where the host keeps its drives: `D:\x` is `D/x` there. */
	get root(): string {
		return this.#parts.root;
	}

	/** Throws {@link SessionDropped} when nobody is told what came of it, and a zod error for what is no request. */
	async answer<Name extends OperationName>(name: Name, request: unknown): Promise<Answer<Name>> {
		const point = `op ${name}`;
		this.#mustHavePower(point);
		try {
			await this.faults.reach(point, point);
			const result = await perform(this.#parts, name, request);
			await this.faults.reach(`${point} done`, point);
			this.#mustHavePower(point);
			operations[name].answer.parse(result);
			return { ok: true, result };
		} catch (error) {
			if (error instanceof SessionDropped) throw error;
			this.#mustHavePower(point);
			return { ok: false, error: failureOf(error) };
		}
	}

	/** The guest of a recovery's machine. */
	guest(recoveryId: string): ScriptedGuest {
		return new ScriptedGuest(this.#parts, this.#vmId(recoveryId));
	}

	/** The machine's process ends as in a crash. */
	async killMachine(recoveryId: string): Promise<void> {
		await endProcess(this.#parts, this.#vmId(recoveryId), 'unknown');
	}

	/** The machine answers nobody, until it is thawed or its process is ended. */
	freeze(recoveryId: string, isFrozen: boolean): void {
		const vm = this.#parts.running.get(this.#vmId(recoveryId));
		vm?.change(() => (vm.isFrozen = isFrozen));
	}

	/** Somebody's checkpoint of a machine: its leaves are other files from then on. Not taken back by anything here. */
	async addCheckpoint(recoveryId: string): Promise<void> {
		await addCheckpoint(this.#parts, this.#vmId(recoveryId));
	}

	/** Nothing is merged any more of what was begun. */
	async untilMerged(): Promise<void> {
		for (const merge of this.#parts.merges.values()) await merge;
	}

	/** Somebody's checkpoint of the appliance, a backup product's for one. Not taken back by anything here. */
	async addApplianceCheckpoint(): Promise<void> {
		await addApplianceCheckpoint(this.#parts);
	}

	/** The appliance alone loses its power and boots: its disks are there under other names. */
	async rebootAppliance(): Promise<void> {
		await this.#parts.appliance.boot(this.#parts);
	}

	/** From now on nothing here does anything, and what was not durable is gone. Resolves when no file is open any more. */
	async losePower(): Promise<void> {
		this.#ended ??= this.#end();
		await this.#ended;
	}

	/** Orderly: machines are saved, as their AutomaticStopAction has it. */
	async shutDown(): Promise<void> {
		for (const vm of this.#parts.state.vms) {
			const running = this.#parts.running.get(vm.vmId);
			if (running === undefined) continue;
			if (vm.automaticStop === 'Save') vm.saved = { guestBoot: running.guestBoot ?? '', unflushed: running.unflushed };
			await endProcess(this.#parts, vm.vmId, 'order');
		}
		await this.#parts.settings.appliance.close();
		await this.losePower();
	}

	async #end(): Promise<void> {
		await this.#parts.store.losePower();
		for (const vm of this.#parts.running.values()) await vm.end();
		for (const merge of this.#parts.merges.values()) await merge;
		for (const disk of this.#parts.sessions.values()) await disk.close();
	}

	#vmId(recoveryId: string): string {
		const vm = this.#parts.state.vms.find(one => isMachineOf(one, recoveryId));
		return vm?.vmId ?? 'none';
	}

	#mustHavePower(point: string): void {
		if (this.#ended) throw new SessionDropped(`${point}: the host has no power`);
	}
}

function failureOf(error: unknown): DriverFailure {
	if (error instanceof DriverRefusal) return { code: error.code, message: error.message, hresult: null, cmdlet: null };
	if (error instanceof WindowsError) {
		const { hresult, cmdlet, message } = error;
		return { code: 'failed', message, hresult, cmdlet };
	}
	if (error instanceof z.ZodError) throw error;
	const { code, message } = asRouseError(error);
	if (code === 'space_short') return failureOf(breaks('diskFull', 'write', message));
	return { code: 'failed', message, hresult: null, cmdlet: null };
}
