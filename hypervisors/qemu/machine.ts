import type { Duplex } from 'node:stream';
import { asRouseError } from '../../model/errors.ts';
import type { Chain } from '../../model/recovery.ts';
import type {
	AgentRun,
	AgentRunLimits,
	CallOptions,
	ConsoleKind,
	Machine,
	MachineDefinition,
	MachineObservation,
	MoverGate,
	SwitchCalls,
	Target,
} from '../contract.ts';
import { abortable } from './abortable.ts';
import { addressesInUse } from './address-in-use.ts';
import { agentAnswers } from '../../qmp/agent.ts';
import { agentRuns } from './agent-run.ts';
import { checkBase } from './base.ts';
import { makeTaps, removeTaps } from './host-networks.ts';
import { noConsole, openConsole } from './console.ts';
import { endProcessesOf } from './own-processes.ts';
import { offeringFallBack, takeFallBack } from './fall-back.ts';
import { createVariableStore } from './firmware.ts';
import { endWithGuest, goOnAfterReset, resetGuest, resumeGuest, startGuest } from './guest-power.ts';
import { writeStartScript } from './hand-over.ts';
import { launch, monitorOf } from './launch.ts';
import { removeMachineFiles, removeRunFiles } from './machine-files.ts';
import { type MachineParts, userOf } from './machine-parts.ts';
import { type ConnectQmp, MachineMonitor } from './monitor.ts';
import { lookAt } from './observation.ts';
import { takeSnapshot } from './overlay.ts';
import { machinePaths } from './paths.ts';
import { patience } from './patience.ts';
import { endByForce, whatRuns } from './process.ts';
import type { Qmp } from '../../qmp/client.ts';
import { createRecord, endRecord, records } from './record.ts';
import { screenshot } from './screenshot.ts';
import { switchOffline } from './switch-offline.ts';
import { switchOnline } from './switch-online.ts';
import { takenMiB } from './taken-memory.ts';
import { checkTargets, makeTargets, openTargets, removeTargets } from './targets.ts';

export class QemuMachine implements Machine {
	readonly #parts: MachineParts;
	readonly #gate: MoverGate;

	constructor(
		definition: MachineDefinition,
		gate: MoverGate,
		{ host, users, connect }: Pick<MachineParts, 'host' | 'users'> & { connect: ConnectQmp },
	) {
		const paths = machinePaths(definition);
		this.#parts = { definition, paths, host, users, monitor: new MachineMonitor(definition, paths, connect) };
		this.#gate = gate;
	}

	get debug(): Readonly<Record<string, string>> {
		const { qmp, console, vnc, agent } = this.#parts.paths.sockets;
		return { qmpSocket: qmp, consoleSocket: console, vncSocket: vnc, agentSocket: agent };
	}

	async makeTargets({ signal }: CallOptions = {}): Promise<void> {
		const { definition, paths, users } = await this.#ours();
		await makeTargets(definition, paths, signal);
		await users.own(definition, paths);
	}

	async openTargets(): Promise<Target[]> {
		const { definition, paths } = await this.#ours();
		return openTargets(definition, paths);
	}

	async create(): Promise<void> {
		const { definition, paths, host } = await this.#ours();
		await checkTargets(definition, paths);
		await createRecord(definition, paths);
		if (definition.config.firmware === 'efi') await createVariableStore(paths.vars, (await host()).firmwares);
	}

	async presentBase({ signal }: CallOptions = {}): Promise<void> {
		const { definition, host } = await this.#ours();
		const qemu = await host();
		await this.#gate.pass(() => checkBase(definition, qemu, signal), { signal });
	}

	async snapshot({ signal }: CallOptions = {}): Promise<void> {
		const { definition, paths, host } = await this.#ours();
		const qemu = await host();
		await this.#gate.pass(() => takeSnapshot(definition, paths, qemu, signal), { signal });
	}

	async addressesInUse(): Promise<string[]> {
		const { nics, recoveryId } = this.#parts.definition;
		return addressesInUse(nics, recoveryId);
	}

	async powerOn(chain: Chain, { signal }: CallOptions = {}): Promise<void> {
		const parts = await this.#ours();
		const alive = await this.#alive();
		await makeTaps(parts.definition, () => userOf(parts), { running: alive });
		const start = async () => {
			if (alive) await startGuest(abortable(await monitorOf(parts, signal), signal), parts.definition);
			else await launch(parts, chain, qmp => startGuest(qmp, parts.definition), signal);
		};
		await offeringFallBack(parts, () =>
			this.#gate.pass(start, { patienceMs: alive ? patience.startAgain : patience.start, signal }),
		);
	}

	async fallBack(chain: Chain, options: CallOptions = {}): Promise<void> {
		await takeFallBack(await this.#ours());
		await this.powerOn(chain, options);
	}

	async shutdown({ signal }: CallOptions = {}): Promise<void> {
		const powerdown = (qmp: Qmp) => qmp.execute('system_powerdown');
		await this.#ask(powerdown, { first: true, patienceMs: patience.resetOrShutdown, signal });
	}

	async reset({ signal }: CallOptions = {}): Promise<void> {
		const reset = await this.#ask(resetGuest, { first: true, patienceMs: patience.resetOrShutdown, signal });
		// Apart, since now the mover serves again: a guest that was let go before would stop at its next read.
		if (reset === true) await this.#ask(goOnAfterReset, { patienceMs: patience.resume, signal });
	}

	async powerOff(): Promise<void> {
		const { definition, paths, monitor } = await this.#ours();
		// Never by asking: QEMU's own `quit` waits for reads that nobody answers.
		await this.#endByForce();
		monitor.close();
		await removeRunFiles(paths);
		await removeTaps(definition);
	}

	async resume({ signal }: CallOptions = {}): Promise<void> {
		await this.#ask(resumeGuest, { patienceMs: patience.resume, signal });
	}

	/** A QEMU that is silent while reads wait is one whose guest has reset itself: it stands still until they are answered. */
	async observe({ signal }: CallOptions = {}): Promise<MachineObservation> {
		const seen: MachineObservation[] = [];
		try {
			return await lookAt(this.#parts, signal);
		} catch (error) {
			if (asRouseError(error).code !== 'hypervisor_stuck') throw error;
			await this.#gate.free(async () => void seen.push(await lookAt(this.#parts, signal)), { signal });
			if (seen[0] === undefined) throw error;
			return seen[0];
		}
	}

	takenMiB(): Promise<number> {
		return takenMiB(this.#parts.paths);
	}

	async switchToTarget(calls: SwitchCalls, { signal }: CallOptions = {}): Promise<{ pauseMs: number }> {
		await this.#ours();
		return this.#gate.pass(() => this.#switch(calls, signal), { patienceMs: patience.switch, signal });
	}

	async console(kind: ConsoleKind, { signal }: CallOptions = {}): Promise<Duplex> {
		const { definition, paths } = this.#parts;
		if ((await whatRuns(definition, paths)) !== 'machine') throw noConsole();
		return openConsole(kind === 'serial' ? paths.sockets.console : paths.sockets.vnc, signal);
	}

	async agentAnswers({ signal }: CallOptions = {}): Promise<boolean> {
		const { definition, paths } = this.#parts;
		return (await whatRuns(definition, paths)) === 'machine' && agentAnswers(paths.sockets.agent, { signal });
	}

	async agentRuns(command: readonly string[], options: CallOptions & AgentRunLimits): Promise<AgentRun> {
		const { definition, paths } = this.#parts;
		if ((await whatRuns(definition, paths)) !== 'machine') throw noConsole();
		return agentRuns(paths.sockets.agent, command, options);
	}

	async screenshot({ mostBytes, signal }: CallOptions & { mostBytes: number }): Promise<Buffer> {
		const { definition, paths } = this.#parts;
		if ((await whatRuns(definition, paths)) !== 'machine') throw noConsole();
		return screenshot(this.#parts, await this.#open(signal), mostBytes);
	}

	async handOver({ signal }: CallOptions = {}): Promise<void> {
		const { definition, paths, host } = await this.#ours();
		await writeStartScript(definition, paths, await host());
		// One that is off already: nothing is left for which QEMU would have to stay. Undefined: it only seems to be gone, maybe.
		if ((await this.#ask(endWithGuest, { signal })) !== false) await this.powerOff();
		await endRecord(definition, paths);
	}

	async remove(): Promise<void> {
		const { definition, paths } = await this.#ours();
		await this.powerOff();
		await removeMachineFiles(definition, paths);
	}

	async removeTargets(): Promise<void> {
		const { definition, paths } = await this.#ours();
		await removeTargets(definition, paths);
	}

	async close(): Promise<void> {
		this.#parts.monitor.close();
	}

	/** `identity_conflict` when another recovery's machine lies here. */
	async #ours(): Promise<MachineParts> {
		await records.read(this.#parts.definition, this.#parts.paths);
		return this.#parts;
	}

	/**
	 * When not, nothing of it is left: neither an offline commit of a supervisor that died, which is begun again from the start,
	 * nor a QEMU that let go of its lock.
	 */
	async #alive(): Promise<boolean> {
		const { definition, paths } = this.#parts;
		if ((await whatRuns(definition, paths)) === 'machine') return true;
		await this.#endByForce();
		return false;
	}

	async #endByForce(): Promise<void> {
		const { definition, paths, users } = this.#parts;
		await endByForce(definition, paths);
		const user = await users.reservedFor(definition, paths);
		if (user !== undefined) await endProcessesOf(user, paths.lock);
	}

	async #open(signal: AbortSignal | undefined): Promise<Qmp> {
		return abortable(await this.#parts.monitor.open({ signal }), signal);
	}

	/** Nothing when it does not run. */
	async #ask<T>(act: (qmp: Qmp) => Promise<T>, options: Parameters<MoverGate['pass']>[1]): Promise<T | undefined> {
		const { definition, paths } = this.#parts;
		if ((await whatRuns(definition, paths)) !== 'machine') return undefined;
		return this.#gate.pass(async () => act(await this.#open(options.signal)), options);
	}

	async #switch(calls: SwitchCalls, signal: AbortSignal | undefined): Promise<{ pauseMs: number }> {
		const { definition, paths, host, monitor } = this.#parts;
		if (!(await this.#alive())) {
			await switchOffline(definition, paths, await host(), calls, { signal });
			return { pauseMs: 0 };
		}
		const qmp = await monitor.open({ signal });
		return switchOnline({ definition, paths, qmp, gate: this.#gate, calls }, { signal });
	}
}
