import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { Chain, MachineSockets } from '../../model/recovery.ts';
import { isErrno, removeFileDurably, temporarySuffix } from '../../system/durable-file.ts';
import type { Machine, MachineDefinition, MachineObservation, SwitchCalls } from '../contract.ts';
import { createVariableStore } from './firmware.ts';
import { powerOf, resumeGuest, startGuest } from './guest-power.ts';
import { writeStartScript } from './hand-over.ts';
import type { QemuHost } from './host.ts';
import { launch } from './launch.ts';
import { type ConnectQmp, MachineMonitor } from './monitor.ts';
import { queryDisks, queryStatus } from './monitor-queries.ts';
import { removeOverlays, takeSnapshot } from './overlay.ts';
import { machinePaths, type MachinePaths } from './paths.ts';
import { endByForce, whatRuns } from './process.ts';
import type { Qmp } from './qmp-client.ts';
import { createRecord, endRecord, readRecord } from './record.ts';
import { switchOffline } from './switch-offline.ts';
import { guestIsOff, switchOnline } from './switch-online.ts';

/** An answer this late means that QEMU holds an unanswered read, or that the host is far beyond its means. */
const observeTimeoutMs = 2_000;

export class QemuMachine implements Machine {
	readonly #definition: MachineDefinition;
	readonly #paths: MachinePaths;
	readonly #host: () => Promise<QemuHost>;
	readonly #monitor: MachineMonitor;

	constructor(definition: MachineDefinition, host: () => Promise<QemuHost>, connect: ConnectQmp) {
		this.#definition = definition;
		this.#paths = machinePaths(definition);
		this.#host = host;
		this.#monitor = new MachineMonitor(definition, this.#paths, connect);
	}

	get sockets(): MachineSockets {
		return this.#paths.sockets;
	}

	async create(): Promise<void> {
		await readRecord(this.#definition, this.#paths);
		for (const disk of this.#definition.disks) {
			const { size } = await stat(disk.targetPath);
			if (size !== disk.sizeBytes)
				throw new RouseError('machine_failed', `${disk.targetPath} has ${size} bytes, not ${disk.sizeBytes}`);
		}
		await createRecord(this.#definition, this.#paths);
		if (this.#definition.config.firmware === 'efi')
			await createVariableStore(this.#paths.vars, (await this.#host()).firmwares);
	}

	async snapshot(): Promise<void> {
		await takeSnapshot(this.#definition, this.#paths, await this.#host());
	}

	async powerOn(chain: Chain): Promise<void> {
		await readRecord(this.#definition, this.#paths);
		const qmp = (await this.#alive())
			? await this.#monitor.open()
			: await launch(this.#definition, this.#paths, await this.#host(), chain, this.#monitor);
		await startGuest(qmp, this.#definition);
	}

	async shutdown(): Promise<void> {
		await this.#ifAlive(qmp => qmp.execute('system_powerdown'));
	}

	async reset(): Promise<void> {
		await this.#ifAlive(qmp => qmp.execute('system_reset'));
	}

	async powerOff(): Promise<void> {
		await readRecord(this.#definition, this.#paths);
		// Never by asking: QEMU's own `quit` waits for reads that nobody answers.
		await endByForce(this.#definition, this.#paths);
		this.#monitor.close();
		await this.#removeRunFiles();
	}

	async resume(): Promise<void> {
		await this.#ifAlive(resumeGuest);
	}

	async observe(): Promise<MachineObservation> {
		const off: MachineObservation = { power: 'off', alive: false, ioError: undefined };
		if ((await whatRuns(this.#definition, this.#paths)) !== 'machine') return off;
		const limit = { timeoutMs: observeTimeoutMs };
		try {
			const qmp = await this.#monitor.open(limit);
			const { running, status } = await queryStatus(qmp, limit);
			return { power: powerOf(status), alive: true, ioError: running ? undefined : await this.#ioError(qmp) };
		} catch (error) {
			// It ended while it was asked.
			if ((await whatRuns(this.#definition, this.#paths)) !== 'machine') return off;
			throw error;
		}
	}

	async switchToTarget(calls: SwitchCalls): Promise<{ pauseMs: number }> {
		await readRecord(this.#definition, this.#paths);
		if (!(await this.#alive())) {
			await switchOffline(this.#definition, this.#paths, await this.#host(), calls);
			return { pauseMs: 0 };
		}
		const qmp = await this.#monitor.open();
		const result = await switchOnline({ definition: this.#definition, paths: this.#paths, qmp, calls });
		// A guest that has powered itself off: nothing is left for which QEMU would have to stay.
		if (await guestIsOff(qmp)) await this.powerOff();
		return result;
	}

	async handOver(): Promise<void> {
		await readRecord(this.#definition, this.#paths);
		await writeStartScript(this.#definition, this.#paths, await this.#host());
		await endRecord(this.#definition, this.#paths);
	}

	async remove(): Promise<void> {
		await readRecord(this.#definition, this.#paths);
		await endByForce(this.#definition, this.#paths);
		this.#monitor.close();
		await this.#removeRunFiles();
		await removeOverlays(this.#definition, this.#paths);
		const { vars, start, log, lock, record } = this.#paths;
		// The record last: it says whose the rest is.
		for (const path of [vars, start, log, lock, ...(await this.#temporaryFiles()), record])
			await removeFileDurably(path);
	}

	async close(): Promise<void> {
		this.#monitor.close();
	}

	/** Ends an offline commit that a supervisor left behind when it died: it is begun again from the start. */
	async #alive(): Promise<boolean> {
		const running = await whatRuns(this.#definition, this.#paths);
		if (running === 'commit') await endByForce(this.#definition, this.#paths);
		return running === 'machine';
	}

	async #ifAlive(act: (qmp: Qmp) => Promise<unknown>): Promise<void> {
		if ((await whatRuns(this.#definition, this.#paths)) === 'machine') await act(await this.#monitor.open());
	}

	async #ioError(qmp: Qmp): Promise<MachineObservation['ioError']> {
		for (const [index, { ioStatus }] of await queryDisks(qmp, { timeoutMs: observeTimeoutMs })) {
			const disk = this.#definition.disks[index];
			if (ioStatus === 'ok' || disk === undefined) continue;
			const noSpace = ioStatus === 'nospace';
			// Not heard of (the supervisor is new): only writes want space, and what else fails here is the mover's reads.
			const operation = noSpace ? 'write' : (this.#monitor.failedOperation(index) ?? 'read');
			return { disk: disk.name, operation, noSpace };
		}
		return undefined;
	}

	async #removeRunFiles(): Promise<void> {
		const { sockets, supervisorMonitor, pid } = this.#paths;
		for (const path of [...Object.values(sockets), supervisorMonitor, pid]) await rm(path, { force: true });
	}

	/** What a crash left of files that this machine publishes. */
	async #temporaryFiles(): Promise<string[]> {
		const { directory, disks } = this.#definition;
		const { record, vars, start } = this.#paths;
		const ours = [record, vars, start, ...disks.map(disk => this.#paths.overlay(disk))].map(path => basename(path));
		try {
			return (await readdir(directory))
				.filter(name => name.endsWith(temporarySuffix) && ours.some(own => name.startsWith(`${own}.`)))
				.map(name => join(directory, name));
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return [];
			throw error;
		}
	}
}
