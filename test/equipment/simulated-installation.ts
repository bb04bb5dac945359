import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import type { SimulatedGuest } from '../../hypervisors/simulated/guest.ts';
import type { SimulatedHostOptions } from '../../hypervisors/simulated/host.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { recoveryView } from '../../supervisor/api/recovery-view.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { noLatency } from '../../supervisor/pace/latency-source.ts';
import { ReportNumbers } from '../../supervisor/files/report-numbers.ts';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import type { RecoveryView, StepAnswer, StepBody, StepName } from '../../supervisor/protocol.ts';
import { FinishedMachine } from '../../supervisor/recovery/finished-machine.ts';
import { directAccess } from '../../repository/access/direct.ts';
import { askToken } from '../../movers/repository-mover/host-client.ts';
import type { HostParts } from '../../supervisor/recovery/host-parts.ts';
import { createSimulatedHost, type SimulatedParts } from '../../supervisor/simulated/host.ts';
import { Supervisor } from '../../supervisor/supervisor.ts';
import { systemClock } from '../../system/clock.ts';
import type { Installation } from '../../system/installation.ts';
import { createLog } from '../../system/log.ts';
import { waitFor } from '../../system/wait.ts';
import { samplePlan } from './recoveries.ts';
import { fastDirectory } from './simulated-bench.ts';
import { sampleDisk, storeDisk, type StoredDisk } from './stored-disk.ts';
import { namesIn } from '../../system/names-in.ts';

type Rest<S extends StepName> = Omit<StepBody<S>, 'recoveryId' | 'generation'>;

const silent = createLog('test', { level: 'silent' });

/** A supervisor over a simulated host, in this process and without sockets, with one recovery on it. */
export class SimulatedInstallation {
	readonly installation: Installation;
	readonly parts: SimulatedParts;
	readonly stored: StoredDisk;
	readonly recoveryId = randomUUID();
	readonly name = 'r1';
	/** Called with each place that supervisor and platform reach. */
	reached: (place: string) => Promise<void> = async () => undefined;
	#supervisor: Supervisor | undefined;
	#generation = 0;

	private constructor(installation: Installation, parts: SimulatedParts, stored: StoredDisk) {
		this.installation = installation;
		this.parts = parts;
		this.stored = stored;
	}

	static async create(
		t: { after(hook: () => Promise<unknown>): void },
		options: Partial<SimulatedHostOptions> = {},
	): Promise<SimulatedInstallation> {
		const home = await fastDirectory('rouse-home-');
		const installation = {
			id: 'simulated',
			home,
			runDirectory: join(home, 'run'),
			cacheDirectory: join(home, 'cache'),
		};
		await mkdir(installation.runDirectory);
		const stored = await storeDisk(join(home, 'repository'), sampleDisk(1024 * 1024 + 700), {
			chunkSizeBytes: 64 * 1024,
		});
		const simulated = new SimulatedInstallation(
			installation,
			createSimulatedHost(installation, options, { log: silent }),
			stored,
		);
		t.after(async () => {
			await simulated.stop();
			await rm(home, { recursive: true, force: true });
		});
		await simulated.start();
		return simulated;
	}

	get supervisor(): Supervisor {
		if (this.#supervisor === undefined) throw new Error('the supervisor was not started');
		return this.#supervisor;
	}

	/** A supervisor that finds whatever is there; the movers, as processes of their own would, have gone on. */
	async start(): Promise<void> {
		const { platform, movers } = this.parts;
		const host: HostParts = {
			installation: this.installation,
			platform,
			movers,
			tombstones: new Tombstones(this.installation.home),
			reportNumbers: new ReportNumbers(this.installation.home, systemClock),
			repositories: directAccess,
			log: silent,
			clock: systemClock,
			reached: place => this.reached(place),
			latency: noLatency,
			endForSeal: mover => mover.end(),
			mustBeConfigured: async () => undefined,
			findElsewhere: async () => undefined,
			askToken,
		};
		const supervisor = new Supervisor(host);
		this.#supervisor = supervisor;
		await supervisor.start();
	}

	async stop(): Promise<void> {
		await this.#supervisor?.stop();
		this.#supervisor = undefined;
	}

	step<S extends StepName>(step: S, rest: Rest<S>): Promise<StepAnswer<StepName>> {
		this.#generation += 1;
		return this.supervisor.step(this.name, step, {
			recoveryId: this.recoveryId,
			generation: this.#generation,
			...rest,
		});
	}

	async plan(): Promise<RecoveryPlan> {
		const plan = samplePlan(this.stored);
		const { config, nics, platformOptions: options } = plan;
		return { ...plan, hardware: await this.parts.platform.chooseHardware({ config, nics, options }) };
	}

	/** Up to the machine running. */
	async run(): Promise<SimulatedGuest> {
		await this.step('reserve', { limit: 8 });
		await this.step('allocate', { plan: await this.plan() });
		await this.step('create-machine', {});
		await this.step('start-movers', {});
		await this.step('snapshot', {});
		await this.step('power-on', { on: true });
		return this.guest();
	}

	async restore(): Promise<void> {
		await this.step('migrate-chunks', { maxRateBytes: 0 });
		await waitFor('all blocks to be restored', async () => (await this.view()).restored, {
			timeoutMs: 20_000,
			everyMs: 5,
		});
	}

	async view(): Promise<RecoveryView> {
		const entry = this.supervisor.registry.get(this.name);
		if (entry === undefined) throw new Error(`${this.name} is not on this host`);
		return entry instanceof FinishedMachine ? entry.view() : recoveryView(entry);
	}

	/** What is left of the recovery, but for its tombstone. */
	async leftovers(): Promise<string[]> {
		const { directory, runDirectory } = this.definition();
		return [...(await namesIn(directory)), ...(await namesIn(runDirectory))];
	}

	guest(): SimulatedGuest {
		return this.parts.host.guest(this.definition());
	}

	/** As far as the files of the machine go. */
	definition(): MachineDefinition {
		const { directory, runDirectory, nbdSocket } = recoveryPlaces(this.installation, this.name, this.recoveryId);
		const { config } = samplePlan(this.stored);
		const sizeBytes = Math.ceil(this.stored.bytes.length / 512) * 512;
		const disks = [{ name: 'disk0', sizeBytes, exports: { now: 'disk0-now', wait: 'disk0-wait' } }];
		const { recoveryId } = this;
		const made = { recoveryId, machineName: 'sample', config, hardware: {}, nics: [], allocate: 'thin' } as const;
		return { ...made, disks, directory, runDirectory, nbdSocket };
	}
}
