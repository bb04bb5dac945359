import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Duplex } from 'node:stream';
import { RouseError } from '../../model/errors.ts';
import { leadsNowhere } from '../../model/isolated-network.ts';
import type { Chain } from '../../model/recovery.ts';
import { removeFileDurably, replaceFileDurably } from '../../system/durable-file.ts';
import type {
	AgentRun,
	AgentRunLimits,
	CallOptions,
	ConsoleKind,
	Machine,
	MachineObservation,
	MoverGate,
	SwitchCalls,
	Target,
} from '../contract.ts';
import { answered, probeBase } from './base.ts';
import { serialConsole } from './console.ts';
import { removeTemporary, sizeOf } from './files.ts';
import { parseHardware } from './hardware.ts';
import { hostBoot } from './host-boot.ts';
import { answering, isSilent } from './instance.ts';
import { observationOf } from './observation.ts';
import { removeOverlays, takeSnapshot } from './overlays.ts';
import type { Call, MachineParts } from './parts.ts';
import { cutPower, powerOn, reset, resume } from './power.ts';
import { reachFault } from './reached.ts';
import { type MachineRecord, createRecord, records } from './record.ts';
import { makeTargets, openTargets, removeTargets } from './targets.ts';

export class SimulatedMachine implements Machine {
	readonly debug: Readonly<Record<string, string>>;
	readonly #parts: MachineParts;
	readonly #gate: MoverGate;

	constructor(parts: MachineParts, gate: MoverGate) {
		this.#parts = parts;
		this.#gate = gate;
		this.debug = { record: parts.paths.record, running: parts.paths.run };
	}

	async makeTargets(options?: CallOptions): Promise<void> {
		await this.#begin('makeTargets', options);
		await makeTargets(this.#parts);
	}

	async openTargets(options?: CallOptions): Promise<Target[]> {
		await this.#begin('openTargets', options);
		return openTargets(this.#parts, await hostBoot(this.#parts.settings.directory));
	}

	async create(options?: CallOptions): Promise<void> {
		await this.#begin('create', options);
		const { definition, paths, settings } = this.#parts;
		parseHardware(definition.hardware);
		for (const disk of definition.disks) {
			const size = await sizeOf(paths.target(disk));
			const wanted = settings.manner.targets.offsetBytes + disk.sizeBytes;
			if (size !== wanted)
				throw new RouseError('machine_failed', `${paths.target(disk)} has ${size ?? 'no'} bytes, not ${wanted}`);
		}
		await createRecord(definition, paths);
	}

	async presentBase(options: CallOptions = {}): Promise<void> {
		await this.#begin('presentBase', options);
		await this.#probe(options);
		await this.#parts.settings.manner.presentBase(this.#call(options));
	}

	async snapshot(options: CallOptions = {}): Promise<void> {
		await this.#begin('snapshot', options);
		await takeSnapshot(this.#parts, () => this.#probe(options));
	}

	async addressesInUse(options?: CallOptions): Promise<string[]> {
		await this.#begin('addressesInUse', options);
		const { settings, definition } = this.#parts;
		const inUse = definition.nics.filter(
			({ mac, target }) => !leadsNowhere(target) && settings.macsInUse.includes(mac),
		);
		return inUse.map(({ mac }) => `the MAC address ${mac} is in use`);
	}

	async powerOn(chain: Chain, options?: CallOptions): Promise<void> {
		await this.#begin('powerOn', options);
		await records.of(this.#parts.definition, this.#parts.paths);
		await powerOn(this.#call(options), chain);
	}

	async fallBack(chain: Chain, options?: CallOptions): Promise<void> {
		await this.#begin('fallBack', options);
		await records.change(this.#parts.definition, this.#parts.paths, { fellBack: true });
		await powerOn(this.#call(options), chain);
	}

	async shutdown(options?: CallOptions): Promise<void> {
		await this.#begin('shutdown', options);
		this.#parts.running.alone((run, save) => {
			const asked = answering(this.#parts, run);
			if (asked) save({ ...asked, shutdownAsked: true });
		});
	}

	async reset(options?: CallOptions): Promise<void> {
		await this.#begin('reset', options);
		await reset(this.#call(options));
	}

	async powerOff(options?: CallOptions): Promise<void> {
		await this.#begin('powerOff', options);
		cutPower(this.#parts);
	}

	async resume(options?: CallOptions): Promise<void> {
		await this.#begin('resume', options);
		await resume(this.#call(options));
	}

	async takenMiB(): Promise<number> {
		const { settings, definition } = this.#parts;
		return settings.takenMiB(definition.machineName);
	}

	async observe(options: CallOptions = {}): Promise<MachineObservation> {
		const record = await this.#begin('observe', options);
		const { running } = this.#parts;
		const look = () => observationOf(this.#parts, record, answering(this.#parts, running.read()));
		const run = running.read();
		if (run === undefined || !(run.frozen || isSilent(this.#parts, run))) return look();
		let seen: MachineObservation | undefined;
		const freed = await this.#gate.free(async () => {
			await answered(this.#parts, options);
			seen = look();
		}, options);
		if (freed && seen) return seen;
		throw new RouseError('hypervisor_stuck', `${this.#parts.definition.machineName} does not answer`);
	}

	async switchToTarget(calls: SwitchCalls, options?: CallOptions): Promise<{ pauseMs: number }> {
		await this.#begin('switchToTarget', options);
		await records.of(this.#parts.definition, this.#parts.paths);
		answering(this.#parts, this.#parts.running.read());
		return this.#parts.settings.manner.switchToTarget({ ...this.#call(options), calls });
	}

	async console(kind: ConsoleKind, options?: CallOptions): Promise<Duplex> {
		await this.#begin('console', options);
		const { running, definition } = this.#parts;
		const run = answering(this.#parts, running.read());
		if (run === undefined || run.guest === 'off')
			throw new RouseError('phase_wrong', `${definition.machineName} is off: it has no console`);
		if (kind === 'screen') throw new RouseError('phase_wrong', 'a simulated machine has no screen');
		return serialConsole(definition.machineName, run.boot);
	}

	/** As long as the guest runs: its agent is part of it. */
	async agentAnswers(options?: CallOptions): Promise<boolean> {
		await this.#begin('agentAnswers', options);
		return answering(this.#parts, this.#parts.running.read())?.guest === 'running';
	}

	/** Its guest knows `echo` and exit codes: enough to be tested. */
	async agentRuns(
		[program = '', ...args]: readonly string[],
		options: CallOptions & AgentRunLimits,
	): Promise<AgentRun> {
		if (!(await this.agentAnswers(options))) throw new RouseError('not_ready', "the guest's agent does not answer");
		if (program === 'echo') return { exitCode: 0, output: `${args.join(' ')}\n`.slice(-options.mostBytes) };
		return { exitCode: program === 'exit' ? Number(args[0] ?? 0) : 127, output: '' };
	}

	async screenshot(options: CallOptions): Promise<Buffer> {
		await this.#begin('screenshot', options);
		if (!(await this.agentAnswers(options)))
			throw new RouseError('phase_wrong', 'the machine is off: it has no screen');
		return onePixel;
	}

	async handOver(options?: CallOptions): Promise<void> {
		await this.#begin('handOver', options);
		const { settings, definition, paths, stacks, running } = this.#parts;
		// Nothing is left for which a machine would have to stay whose guest has powered itself off.
		if (running.read()?.guest === 'off') cutPower(this.#parts);
		await settings.manner.settle(this.#parts);
		const { offsetBytes } = settings.manner.targets;
		const disks = stacks.map(({ targetPath }) => ({ path: targetPath, offsetBytes }));
		await replaceFileDurably(paths.start, `${JSON.stringify({ machineName: definition.machineName, disks })}\n`);
	}

	async remove(options?: CallOptions): Promise<void> {
		await this.#begin('remove', options);
		const { settings, definition, paths } = this.#parts;
		cutPower(this.#parts);
		await settings.manner.targets.release(this.#parts);
		await rm(paths.presented, { force: true });
		await removeOverlays(this.#parts);
		await removeFileDurably(paths.start);
		await removeTemporary(definition.directory, [basename(paths.start), basename(paths.record)]);
		// Last: it says whose the rest is.
		await removeFileDurably(paths.record);
		this.#parts.forget();
	}

	async removeTargets(options?: CallOptions): Promise<void> {
		await this.#begin('removeTargets', options);
		await removeTargets(this.#parts);
	}

	async close(): Promise<void> {}

	/** Throws what is injected here, and `identity_conflict` where another recovery's machine is. */
	async #begin(call: string, options?: CallOptions): Promise<MachineRecord | undefined> {
		options?.signal?.throwIfAborted();
		await reachFault(this.#parts, call, options?.signal);
		this.#parts.running.read();
		return records.read(this.#parts.definition, this.#parts.paths);
	}

	async #probe(options: CallOptions): Promise<void> {
		await this.#gate.pass(() => probeBase(this.#parts, options), options);
	}

	#call(options: CallOptions = {}): Call {
		return { parts: this.#parts, gate: this.#gate, options };
	}
}

/** A PNG, as all pictures of screens are. */
const onePixel = Buffer.from(
	'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
	'base64',
);
