/** A recovery on a simulated host, by a supervisor in the test's own process: real files and real steps, in no time. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { kill, reboot } from '../../hypervisors/simulated/fate.ts';
import type { SimulatedGuest } from '../../hypervisors/simulated/guest.ts';
import type { MannerName, SimulatedHost } from '../../hypervisors/simulated/host.ts';
import type { Hardware } from '../../model/hardware.ts';
import type { Incident, RecoveryPlan } from '../../model/recovery.ts';
import { definitionOf } from '../../supervisor/files/machine-file.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { newState, type RecoveryState } from '../../supervisor/files/state.ts';
import type { HostParts } from '../../supervisor/recovery/host-parts.ts';
import { createSimulatedHost } from '../../supervisor/simulated/host.ts';
import type { SimulatedMovers, SimulatedMoversOptions, SimulatedPair } from '../../supervisor/simulated/movers.ts';
import type { Supervisor } from '../../supervisor/supervisor.ts';
import { waitFor } from '../../system/wait.ts';
import { HastyClock } from './hasty-clock.ts';
import { type InnerSupervisor, startInside } from './inner-supervisor.ts';
import { RecordedCalls } from './recorded-calls.ts';
import { samplePlan, SteppedRecovery } from './recoveries.ts';
import { noise } from './repositories.ts';
import { fastDirectory } from './simulated-bench.ts';
import { type StoredDisk, storeDisk } from './stored-disk.ts';
import { SupervisedHost } from './supervised-host.ts';

/** Of four chunks, the last one not full, and of no whole sectors. */
export const diskBytes = 200_000;
export const chunkBytes = 64 * 1024;
export const sector = 512;

export const hardware: Hardware = { platform: 'simulated', data: { controller: 'fast' }, choices: [], warnings: [] };

export interface SimulationOptions {
	parts?: Partial<HostParts>;
	like?: MannerName;
	/** What the host offers to a machine that crashes. */
	fallBack?: string;
	/** MAC addresses that somebody else has on its networks. */
	macsInUse?: string[];
	/** Of the datastore. */
	freeBytes?: () => Promise<number>;
	/** Of the host, and what of it is free, or touched by a machine. */
	memoryMiB?: number;
	freeMiB?: () => number;
	takenMiB?: (machineName: string) => number;
	cpus?: number;
	movers?: Partial<SimulatedMoversOptions>;
	/** For the host's home, there and empty. */
	directory?: string;
}

/** With its supervisor started, and nothing recovered yet. */
export async function simulate(t: Pick<TestContext, 'after'>, options: SimulationOptions = {}): Promise<Simulation> {
	const host = await SupervisedHost.create(t, options.directory ?? (await fastDirectory('rouse-host-')));
	const repository = join(host.installation.home, 'repository');
	const stored = await storeDisk(repository, noise(diskBytes, 1), { chunkSizeBytes: chunkBytes });
	const simulation = new Simulation(host, stored, options);
	await simulation.start();
	return simulation;
}

/** The host, its supervisors one after the other, and the recovery `r1` of a stored disk. */
export class Simulation {
	readonly host: SupervisedHost;
	readonly stored: StoredDisk;
	readonly clock = new HastyClock();
	/** Of all machines of the host; its faults as well. */
	readonly calls = new RecordedCalls();
	readonly simulated: SimulatedHost;
	readonly movers: SimulatedMovers;
	readonly plan: RecoveryPlan;
	readonly recovery: SteppedRecovery;
	readonly #parts: Partial<HostParts>;
	#inner: InnerSupervisor | undefined;

	constructor(
		host: SupervisedHost,
		stored: StoredDisk,
		{ parts, movers, directory: _home, ...more }: SimulationOptions,
	) {
		const { clock, calls: faults } = this;
		const made = createSimulatedHost(
			host.installation,
			{ clock, faults, ...more },
			{ clock, log: pino({ level: 'silent' }), ...movers },
		);
		this.host = host;
		this.stored = stored;
		this.simulated = made.host;
		this.movers = made.movers;
		this.#parts = { platform: made.platform, movers: made.movers, clock, ...parts };
		this.plan = samplePlan(stored, { hardware });
		this.recovery = new SteppedRecovery(host, this.plan);
	}

	/** A supervisor over what is there; machines and movers go on without one. */
	async start(more: Partial<HostParts> = {}): Promise<void> {
		this.#inner = await startInside(this.host, this.host.installation, { ...this.#parts, ...more });
	}

	async stop(): Promise<void> {
		await this.#inner?.stop();
	}

	get supervisor(): Supervisor {
		if (this.#inner === undefined) throw new Error('no supervisor was started');
		return this.#inner.supervisor;
	}

	/** Up to the machine on its own disk, handed over. */
	async finish(): Promise<void> {
		await this.recovery.run();
		await this.recovery.restore();
		await this.recovery.step('switch-to-target', {});
		await this.recovery.step('finalize', {});
	}

	definition({ name, recoveryId, plan } = this.recovery): MachineDefinition {
		const places = recoveryPlaces(this.host.installation, name, recoveryId);
		return definitionOf({ ...newState(recoveryId, name, 0), plan }, places);
	}

	get guest(): SimulatedGuest {
		return this.simulated.guest(this.definition());
	}

	get pair(): SimulatedPair {
		return this.movers.pair(this.recovery.recoveryId);
	}

	/** What the backup holds there. */
	backedUp(offsetBytes: number, lengthBytes = sector): Buffer {
		return this.stored.bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
	}

	/** The machine ends as in a crash of what runs it. */
	kill(): void {
		kill(this.simulated, this.definition());
	}

	/** The host begins anew, without a supervisor. */
	async reboot(): Promise<void> {
		await this.stop();
		await this.pair.mount.die();
		await this.pair.migration.die();
		await this.movers.repositoryLife(this.stored.directory).die();
		await reboot(this.simulated, [this.definition()]);
	}

	/** So many looks at the machine begin and come to their ends from now on. */
	async looks(count: number, { recoveryId } = this.recovery): Promise<void> {
		const upTo = this.calls.times('observe', recoveryId) + count + 1;
		await waitFor('looks', () => this.calls.times('observe', recoveryId) >= upTo, { timeoutMs: 30_000 });
	}

	/** The first incident of this kind. */
	incident(kind: string): Promise<Incident> {
		const { client } = this.host;
		return waitFor(
			`an incident ${kind}`,
			async () => (await client.incidents(this.recovery.name)).find(incident => incident.kind === kind),
			{ timeoutMs: 30_000 },
		);
	}

	get statePath(): string {
		return join(this.host.directory(this.recovery.name), 'state.json');
	}

	async state(): Promise<RecoveryState> {
		return JSON.parse(await readFile(this.statePath, 'utf8'));
	}

	/** As another version, or a supervisor that died, may have left it; while none is there. */
	async changeState(change: Partial<Record<keyof RecoveryState, unknown>>): Promise<void> {
		await writeFile(this.statePath, JSON.stringify({ ...(await this.state()), ...change }));
	}
}
