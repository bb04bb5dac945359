import { rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { RouseError } from '../../model/errors.ts';
import type { Chain } from '../../model/recovery.ts';
import { removeFileDurably } from '../../system/durable-file.ts';
import type { VolumeFiles } from '../../volume/disk-files.ts';
import type {
	CallOptions,
	ConsoleKind,
	Machine,
	MachineDefinition,
	MachineObservation,
	MoverGate,
	SwitchCalls,
	Target,
} from '../contract.ts';
import { keepBase, presentBase, withdrawBase } from './base.ts';
import { refuseUnfinished } from './chain.ts';
import { createMachine } from './create.ts';
import { putTargetsBack } from './disk-files.ts';
import { parseHardware } from './hardware.ts';
import { heartbeatAnswers } from './heartbeat.ts';
import { InTurn } from './in-turn.ts';
import { look, lookSettled } from './look.ts';
import { observe } from './observation.ts';
import { keepOnTargets, takeSnapshot } from './overlays.ts';
import { type Call, freshMemory, type HostSettings, type MachineParts } from './parts.ts';
import { machinePaths } from './paths.ts';
import { powerOff, powerOn, reset, resume, shutdown, withoutItsReads } from './power.ts';
import { type MachineRecord, records } from './record.ts';
import { settleIfPossible } from './settle.ts';
import { switchToTarget } from './switch.ts';
import { makeTargets, openTargets, removeTargets } from './targets.ts';
import { removeVolume, servedVolume } from './volume.ts';

/** A machine on the Hyper-V host on which we run in an appliance. */
export class HypervMachine implements Machine {
	readonly #parts: MachineParts;
	readonly #gate: MoverGate;

	constructor(definition: MachineDefinition, gate: MoverGate, settings: HostSettings) {
		this.#gate = gate;
		this.#parts = {
			settings,
			definition,
			hardware: parseHardware(definition.hardware),
			paths: machinePaths(definition, settings.datastore),
			targetsInTurn: new InTurn(),
			seen: freshMemory(),
		};
	}

	get debug(): Readonly<Record<string, string>> {
		const { paths, seen } = this.#parts;
		const { directory, pipe } = paths.windows;
		return { directory, pipe, record: paths.record, ...(seen.notMerged ? { notMerged: seen.notMerged } : {}) };
	}

	makeTargets(options: CallOptions = {}): Promise<void> {
		return makeTargets(this.#parts, options);
	}

	openTargets(options: CallOptions = {}): Promise<Target[]> {
		return openTargets(this.#parts, options);
	}

	create(options: CallOptions = {}): Promise<void> {
		return createMachine(this.#parts, options);
	}

	volume(): Promise<VolumeFiles | undefined> {
		return servedVolume(this.#parts);
	}

	presentBase(options?: CallOptions): Promise<void> {
		return presentBase(this.#call(options));
	}

	keepBase(options?: CallOptions): Promise<boolean> {
		return keepBase(this.#call(options));
	}

	snapshot(options?: CallOptions): Promise<void> {
		return takeSnapshot(this.#call(options));
	}

	/** The host does not say what addresses there are behind its switches. */
	async addressesInUse(): Promise<string[]> {
		return [];
	}

	powerOn(chain: Chain, options?: CallOptions): Promise<void> {
		return powerOn(this.#call(options), chain);
	}

	/** No other way is ever offered. */
	fallBack(chain: Chain, options?: CallOptions): Promise<void> {
		return powerOn(this.#call(options), chain);
	}

	shutdown(options?: CallOptions): Promise<void> {
		return shutdown(this.#call(options));
	}

	reset(options?: CallOptions): Promise<void> {
		return reset(this.#call(options));
	}

	powerOff(options?: CallOptions): Promise<void> {
		return powerOff(this.#call(options));
	}

	resume(options?: CallOptions): Promise<void> {
		return resume(this.#call(options));
	}

	observe(options: CallOptions = {}): Promise<MachineObservation> {
		return observe(this.#parts, options);
	}

	switchToTarget(calls: SwitchCalls, options?: CallOptions): Promise<{ pauseMs: number }> {
		return switchToTarget({ ...this.#call(options), calls });
	}

	async console(kind: ConsoleKind, options: CallOptions = {}): Promise<Duplex> {
		const { settings, definition, paths } = this.#parts;
		const found = await look(this.#parts, options);
		if (found === undefined || found.stage === 'off' || found.stage === 'saved')
			throw new RouseError('phase_wrong', `${definition.machineName} does not run: it has no console`);
		if (kind === 'screen')
			throw new RouseError('phase_wrong', 'the screen of a machine on Hyper-V is not to be had from here', {
				hint: 'look at it with vmconnect on the host',
			});
		return settings.pipes.open(paths.windows.pipe, options);
	}

	/** Of Hyper-V it is the heartbeat, by the integration service that Windows and Linux have without further ado. */
	agentAnswers(options?: CallOptions): Promise<boolean> {
		return heartbeatAnswers(this.#parts, options);
	}

	/** One that runs keeps its disks in two files each, until it is started after it was off. */
	async handOver(options: CallOptions = {}): Promise<void> {
		const { settings, definition, paths } = this.#parts;
		const record = await records.of(definition, paths);
		// One that its owner has removed, or does not mark as ours any more, is handed over already.
		if (await look(this.#parts, options)) {
			const found = await lookSettled(this.#parts, options);
			if (['off', 'saved'].includes(found.stage)) await keepOnTargets(this.#parts, options);
			await settleIfPossible(this.#parts, found, options);
			if (!(await records.of(definition, paths)).merged) await refuseUnfinished(this.#parts, options);
			await settings.driver.ask('hand-over', { recoveryId: definition.recoveryId }, options);
		}
		await this.#removeBase(record, options);
	}

	async remove(options: CallOptions = {}): Promise<void> {
		const { settings, definition, paths } = this.#parts;
		const record = await records.read(definition, paths);
		if (record === undefined) return;
		const removing = {
			recoveryId: definition.recoveryId,
			overlays: definition.disks.map(disk => paths.windows.overlay(disk)),
			directory: paths.windows.directory,
		};
		// First: it has the overlays open, and through them the volume.
		await withoutItsReads(this.#call(options), () => settings.driver.ask('remove-machine', removing, options));
		// They outlive it, under their own names.
		if (record.targets === 'machine') await putTargetsBack(this.#parts, options);
		await this.#removeBase(record, options);
		// Last: it says whose the rest is.
		await removeFileDurably(paths.record);
	}

	removeTargets(): Promise<void> {
		return removeTargets(this.#parts);
	}

	/** The sessions with the host are all machines'. */
	async close(): Promise<void> {}

	async #removeBase(record: MachineRecord, options: CallOptions): Promise<void> {
		await withdrawBase(this.#parts, record, options);
		await removeVolume(this.#parts);
		await rm(this.#parts.paths.iscsi, { recursive: true, force: true });
	}

	#call(options: CallOptions = {}): Call {
		return { parts: this.#parts, gate: this.#gate, options };
	}
}
