import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { reboot } from '../../hypervisors/simulated/fate.ts';
import type { SimulatedGuest } from '../../hypervisors/simulated/guest.ts';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { Recovery } from '../../supervisor/recovery/recovery.ts';
import { definitionOf, definitionOfFinished, readMachineFile } from '../../supervisor/files/machine-file.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { createSimulatedHost, type SimulatedParts } from '../../supervisor/simulated/host.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { type InnerSupervisor, startInside } from './inner-supervisor.ts';
import { storedMachine } from './stored-machine.ts';
import { TestInstallation } from './temporal.ts';

/** A real Temporal server and real workers beside a simulated host whose supervisor is in the test's own process. */
export class SimulatedWorkplace {
	readonly place: TestInstallation;
	readonly client: SupervisorClient;
	/** For a stored machine, under any name. */
	readonly stored: RecoveryRequest;
	readonly parts: SimulatedParts;
	/** What the supervisor does fails for the moment when it has come to this place. */
	failAt: string | undefined;
	#inner: InnerSupervisor | undefined;

	private constructor(place: TestInstallation, stored: RecoveryRequest) {
		this.place = place;
		this.client = SupervisorClient.of(place.installation);
		this.stored = stored;
		this.parts = createSimulatedHost(place.installation, {}, { log: pino({ level: 'silent' }) });
	}

	static async create(t: Pick<TestContext, 'after'>): Promise<SimulatedWorkplace> {
		const place = await TestInstallation.create();
		t.after(() => place.remove());
		const here = new SimulatedWorkplace(
			place,
			await storedMachine(place.installation.home, {}, { dataBytes: 1 << 20 }),
		);
		await here.#startSupervisor(t);
		return here;
	}

	async #startSupervisor(t: Pick<TestContext, 'after'>): Promise<void> {
		this.#inner = await startInside(t, this.place.installation, {
			...this.parts,
			reached: async reached => {
				if (reached === this.failAt) throw new RouseError('mover_unreachable', `made to fail at ${reached}`);
			},
		});
	}

	/** The host is started anew, and its supervisor with it; workers and Temporal, as on machines of their own, go on. */
	async reboot(t: Pick<TestContext, 'after'>): Promise<void> {
		const { host, movers } = this.parts;
		const names = this.#inner?.supervisor.registry.all().map(({ name }) => name) ?? [];
		const definitions = await Promise.all(names.map(name => this.#definition(name)));
		await this.#inner?.stop();
		await movers.endAll();
		await reboot(host, definitions);
		await this.#startSupervisor(t);
	}

	request(name: string, changes: Partial<RecoveryRequest> = {}): RecoveryRequest {
		return { ...this.stored, name, machineName: name, ...changes };
	}

	/** The guest of the recovery, or of the finished machine, of this name. */
	async guest(name: string): Promise<SimulatedGuest> {
		return this.parts.host.guest(await this.#definition(name));
	}

	async #definition(name: string): Promise<MachineDefinition> {
		const entry = this.#inner?.supervisor.registry.get(name);
		if (entry === undefined) throw new Error(`${name} is not on this host`);
		const places = recoveryPlaces(this.place.installation, name, entry.recoveryId);
		if (entry instanceof Recovery) return definitionOf(entry.state, places);
		const file = await readMachineFile(places.machine);
		if (file === undefined) throw new Error(`${name} has no machine.json`);
		return definitionOfFinished(file, places);
	}
}
