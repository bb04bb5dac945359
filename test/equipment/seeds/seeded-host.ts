import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Supervisor as SupervisorCalls } from '../../../activities/host-attempt.ts';
import type { MachineDefinition } from '../../../hypervisors/contract.ts';
import { kill, reboot } from '../../../hypervisors/simulated/fate.ts';
import type { MannerName } from '../../../hypervisors/simulated/host.ts';
import { RouseError } from '../../../model/errors.ts';
import { definitionOf, definitionOfFinished, readMachineFile } from '../../../supervisor/files/machine-file.ts';
import { type RecoveryPlaces, recoveryPlaces } from '../../../supervisor/files/places.ts';
import { Tombstones } from '../../../supervisor/files/tombstones.ts';
import { routes } from '../../../supervisor/api/routes.ts';
import { createSimulatedHost, type SimulatedParts } from '../../../supervisor/simulated/host.ts';
import { Supervisor } from '../../../supervisor/supervisor.ts';
import type { HostParts } from '../../../supervisor/recovery/host-parts.ts';
import { recoveryStateSchema } from '../../../supervisor/files/state.ts';
import { readDocument } from '../../../supervisor/files/document.ts';
import type { Installation } from '../../../system/installation.ts';
import { fastDirectory } from '../simulated-bench.ts';
import { fastClock } from './fast-clock.ts';
import { Lifetime } from './mortal.ts';
import type { Random } from './random.ts';
import { SeededRepositories } from './seeded-repositories.ts';

const quiet = pino({ level: 'silent' });

/**
 * What a supervisor was doing between two calls when it died goes on to the next one here, which a process does not: so
 * long is waited for what it does with files, before another one reads them.
 */
const lastBreathMs = 100;

/** A simulated host of one installation, whose supervisor may die at any place and is followed by another one. */
export class SeededHost {
	readonly installation: Installation;
	readonly parts: SimulatedParts;
	/** At each place of a supervisor the chance that it dies there. */
	deadliness = 0;
	deaths = 0;
	readonly repositories = new SeededRepositories();
	readonly #random: Random;
	#lifetime = new Lifetime();
	#supervisor: Supervisor | undefined;
	#died = Promise.withResolvers<void>();
	/** What the living supervisor was asked and has not answered. */
	readonly #asked = new Set<Promise<unknown>>();

	private constructor(installation: Installation, like: MannerName, random: Random) {
		this.installation = installation;
		this.#random = random;
		this.parts = createSimulatedHost(installation, { like, clock: fastClock }, { clock: fastClock, log: quiet });
	}

	static async create(like: MannerName, random: Random): Promise<SeededHost> {
		const home = await fastDirectory('rouse-seed-');
		const installation = { id: 'seed', home, runDirectory: join(home, 'run'), cacheDirectory: join(home, 'cache') };
		const host = new SeededHost(installation, like, random);
		await host.#start({ afterDeath: false });
		return host;
	}

	/** The supervisor dies at the next call of its platform or movers; resolves when the next one looks after the host. */
	async killSupervisor(): Promise<void> {
		this.#lifetime.end();
		this.#supervisor = undefined;
		this.#died.reject(new RouseError('supervisor_unreachable', 'the supervisor has died'));
		this.deaths += 1;
		await this.#lastBreath();
		await this.#start({ afterDeath: true });
	}

	/** What activities ask; whoever waits for a supervisor that dies is told so. */
	readonly calls: SupervisorCalls = {
		step: (name, step, body) => this.#ask(supervisor => supervisor.step(name, step, body)) as never,
		hardware: request => this.#ask(() => this.parts.platform.chooseHardware(request)),
		recovery: name => this.#get(['recoveries', name]) as never,
		recoveries: async () => ((await this.#get(['recoveries'])) as { recoveries: never[] }).recoveries,
		incidents: async (name, after = 0) =>
			((await this.#get(['recoveries', name, 'incidents'], { after: String(after) })) as { incidents: never[] })
				.incidents,
	};

	placesOf(name: string, recoveryId: string): RecoveryPlaces {
		return recoveryPlaces(this.installation, name, recoveryId);
	}

	/** The machine of this name as its platform knows it; undefined before there is one. */
	async definition(name: string): Promise<MachineDefinition | undefined> {
		const at = recoveryPlaces(this.installation, name, '');
		const state = await readDocument(at.state, recoveryStateSchema).catch(() => undefined);
		if (state?.plan) return definitionOf(state, this.placesOf(name, state.recoveryId));
		const file = await readMachineFile(at.machine).catch(() => undefined);
		return file && definitionOfFinished(file, this.placesOf(name, file.recoveryId));
	}

	/** The machine loses its power, as in a crash. */
	async killMachine(name: string): Promise<void> {
		const definition = await this.definition(name);
		if (definition) kill(this.parts.host, definition);
	}

	/** The whole host is started anew: supervisor, movers and machines have ended. */
	async reboot(name: string): Promise<void> {
		const definition = await this.definition(name);
		this.#lifetime.end();
		this.#supervisor = undefined;
		this.#died.reject(new RouseError('supervisor_unreachable', 'the host is down'));
		this.deaths += 1;
		await this.#lastBreath();
		await this.parts.movers.endAll();
		await reboot(this.parts.host, definition ? [definition] : []);
		await this.#start({ afterDeath: true });
	}

	async dispose(): Promise<void> {
		await this.#supervisor?.stop();
		await this.parts.movers.endAll();
		await rm(this.installation.home, { recursive: true, force: true });
	}

	async #lastBreath(): Promise<void> {
		const asked = [...this.#asked];
		this.#asked.clear();
		await Promise.race([Promise.allSettled(asked), delay(lastBreathMs)]);
		await delay(5); // its looks, which nobody has asked for
	}

	async #start(how: { afterDeath: boolean }): Promise<void> {
		const lifetime = new Lifetime();
		this.#lifetime = lifetime;
		this.#died = Promise.withResolvers();
		this.#died.promise.catch(() => undefined); // told to whoever asks
		const supervisor = new Supervisor(this.#partsFor(lifetime));
		await supervisor.start(how);
		if (lifetime === this.#lifetime) this.#supervisor = supervisor; // it is heard once it knows what is there
	}

	#partsFor(lifetime: Lifetime): HostParts {
		const { platform, movers } = this.parts;
		return {
			installation: this.installation,
			platform: lifetime.guard(platform),
			movers: lifetime.guard(movers),
			tombstones: new Tombstones(this.installation.home),
			repositories: lifetime.guard(this.repositories),
			log: quiet,
			clock: fastClock,
			reached: async () => {
				if (!lifetime.over && this.#random.chance(this.deadliness)) void this.killSupervisor();
				await lifetime.pass(Promise.resolve());
			},
			endForSeal: mover => mover.end(),
		};
	}

	#ask<T>(question: (supervisor: Supervisor) => Promise<T>): Promise<T> {
		const supervisor = this.#supervisor;
		if (supervisor === undefined || this.#lifetime.over)
			return Promise.reject(new RouseError('supervisor_unreachable', 'nobody listens'));
		const answer = question(supervisor);
		this.#asked.add(answer);
		answer.finally(() => this.#asked.delete(answer)).catch(() => undefined); // told to whoever asked
		return Promise.race([answer, this.#died.promise.then(() => Promise.reject(new Error('unreachable')))]);
	}

	#get(path: readonly string[], query: Record<string, string> = {}): Promise<unknown> {
		return this.#ask(supervisor =>
			routes(
				supervisor,
				this.#partsFor(this.#lifetime),
			)({
				method: 'GET',
				path,
				query: new URLSearchParams(query),
				body: undefined,
				signal: new AbortController().signal,
			}),
		);
	}
}
