import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Supervisor as SupervisorCalls } from '../../../activities/host-attempt.ts';
import type { MachineDefinition } from '../../../hypervisors/contract.ts';
import { kill, reboot } from '../../../hypervisors/simulated/fate.ts';
import type { MannerName } from '../../../hypervisors/simulated/host.ts';
import type { ReadBase } from '../../../hypervisors/simulated/read-base.ts';
import { RouseError } from '../../../model/errors.ts';
import { definitionOf, definitionOfFinished, readMachineFile } from '../../../supervisor/files/machine-file.ts';
import { type RecoveryPlaces, recoveryPlaces } from '../../../supervisor/files/places.ts';
import { noLatency } from '../../../supervisor/pace/latency-source.ts';
import { ReportNumbers } from '../../../supervisor/files/report-numbers.ts';
import { Tombstones } from '../../../supervisor/files/tombstones.ts';
import { routes } from '../../../supervisor/api/routes.ts';
import { createSimulatedHost, type SimulatedParts } from '../../../supervisor/simulated/host.ts';
import { SimulatedMovers } from '../../../supervisor/simulated/movers.ts';
import { Supervisor } from '../../../supervisor/supervisor.ts';
import { askToken } from '../../../movers/repository-mover/host-client.ts';
import type { HostParts } from '../../../supervisor/recovery/host-parts.ts';
import { recoveryStateSchema } from '../../../supervisor/files/state.ts';
import { readDocument } from '../../../supervisor/files/document.ts';
import type { Installation } from '../../../system/installation.ts';
import { fastDirectory } from '../simulated-bench.ts';
import { fastClock } from './fast-clock.ts';
import { type Disk, Lifetime } from './mortal.ts';
import { outside, within } from './mortal-files.ts';
import type { Random } from './random.ts';
import { Grants } from '../../../repository/service/grants.ts';
import { SeededRepositories } from './seeded-repositories.ts';

const quiet = pino({ level: 'silent' });

/** A simulated host of one installation, whose supervisor may die at any place and is followed by another one. */
export class SeededHost {
	readonly installation: Installation;
	readonly parts: SimulatedParts;
	/** At each place of a supervisor the chance that it dies there. */
	deadliness = 0;
	readonly repositories = new SeededRepositories();
	readonly grants: Grants;
	/** All places that its supervisors have come to. */
	readonly places = new Set<string>();
	/** Its supervisor dies when it comes to this place, once, and something else with it. */
	death: { place: string; also: () => unknown } | undefined;
	/** How often that has come. */
	deathsMet = 0;
	/** Where its supervisors write. */
	readonly disk: Disk = { freeBytes: Number.POSITIVE_INFINITY };
	readonly #random: Random;
	#lifetime = new Lifetime();
	#supervisor: Supervisor | undefined;
	#died = Promise.withResolvers<void>();
	/** Ends with the start of the newest supervisor, or with its death. */
	#succession: Promise<void> = Promise.resolve();

	private constructor(installation: Installation, like: MannerName, random: Random) {
		this.grants = new Grants(installation.home);
		this.installation = installation;
		this.#random = random;
		const movers = new SimulatedMovers({ clock: fastClock, log: quiet });
		const readBase: ReadBase = (...read) => outside(() => movers.readBase(...read)); // they outlive who asks
		const { platform, host } = createSimulatedHost(installation, { like, clock: fastClock, readBase });
		this.parts = { platform, host, movers };
	}

	static async create(like: MannerName, random: Random): Promise<SeededHost> {
		const home = await fastDirectory('rouse-seed-');
		const installation = { id: 'seed', home, runDirectory: join(home, 'run'), cacheDirectory: join(home, 'cache') };
		const host = new SeededHost(installation, like, random);
		await host.#start({ afterDeath: false });
		return host;
	}

	/** The supervisor dies now; resolves when the next one looks after the host, or has died as well. */
	killSupervisor(): Promise<void> {
		this.#end('the supervisor has died');
		return this.#follow(async () => undefined);
	}

	/** What activities ask; whoever waits for a supervisor that dies is told so. */
	readonly calls: SupervisorCalls = {
		step: (name, step, body) => this.#ask(supervisor => supervisor.step(name, step, body)) as never,
		hardware: request => this.#ask(() => this.parts.platform.chooseHardware(request)),
		host: () => this.#get(['host']) as never,
		recovery: name => this.#get(['recoveries', name]) as never,
		recoveries: async () => ((await this.#get(['recoveries'])) as { recoveries: never[] }).recoveries,
		capacity: () => this.#get(['capacity']) as never,
		leasesGone: requestIds => this.#ask(supervisor => supervisor.registry.leasesGone(requestIds)),
		agent: name => this.#get(['recoveries', name, 'agent']) as never,
		agentRun: () => Promise.reject(new Error('no drill is here')),
		screenshot: name => this.#get(['recoveries', name, 'screenshot']) as never,
		console: () => Promise.reject(new Error('no console is looked at here')),
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

	/** Power-on of the recovery of this name was scheduled, and it has not ended here. */
	async wasPoweredOn(name: string): Promise<boolean> {
		const { state: path } = recoveryPlaces(this.installation, name, '');
		const state = await readDocument(path, recoveryStateSchema).catch(() => undefined);
		if (!state?.powerOnScheduled) return false;
		return (await new Tombstones(this.installation.home).read(state.recoveryId)) === undefined;
	}

	/** It said that its point could not be pinned, and has not said since that it is. */
	async isUnpinned(name: string): Promise<boolean> {
		const { state: path } = recoveryPlaces(this.installation, name, '');
		const state = await readDocument(path, recoveryStateSchema).catch(() => undefined);
		return (state?.unpinned ?? null) !== null;
	}

	/** Something is left to copy, and its migration mover is at it. */
	copies(recoveryId: string): boolean {
		const state = this.parts.movers.pair(recoveryId).migration.program?.migration.state();
		return state !== undefined && state.copying && !state.disks.every(disk => disk.complete);
	}

	/** The machine loses its power, as in a crash. */
	async killMachine(name: string): Promise<void> {
		const definition = await this.definition(name);
		if (definition) kill(this.parts.host, definition);
	}

	/** The whole host is started anew: supervisor, movers and machines have ended. */
	async reboot(name: string): Promise<void> {
		const definition = await this.definition(name);
		this.#end('the host is down');
		await this.#follow(async () => {
			await this.parts.movers.endAll();
			await reboot(this.parts.host, definition ? [definition] : []);
		});
	}

	async dispose(): Promise<void> {
		await this.#succession;
		this.#end('the host is gone');
		await this.#lifetime.settled();
		await this.parts.movers.endAll();
		await rm(this.installation.home, { recursive: true, force: true });
	}

	#end(why: string): void {
		this.#lifetime.end();
		this.#supervisor = undefined;
		this.#died.reject(new RouseError('supervisor_unreachable', why));
	}

	/** One after the other: of two deaths at once the second is that of the first one's successor. */
	#follow(meanwhile: () => Promise<void>): Promise<void> {
		const before = this.#succession;
		this.#succession = (async () => {
			await before;
			this.#end('the supervisor has died');
			await this.#lifetime.settled();
			await meanwhile();
			await this.#start({ afterDeath: true });
		})();
		return this.#succession;
	}

	/** Ends early when it dies while it starts. */
	async #start(how: { afterDeath: boolean }): Promise<void> {
		const lifetime = new Lifetime(this.disk);
		this.#lifetime = lifetime;
		this.#died = Promise.withResolvers();
		this.#died.promise.catch(() => undefined); // told to whoever asks
		const supervisor = new Supervisor(this.#partsFor(lifetime));
		await Promise.race([within(lifetime, () => supervisor.start(how)), lifetime.ended]);
		if (!lifetime.over) this.#supervisor = supervisor; // it is heard once it knows what is there
	}

	#partsFor(lifetime: Lifetime): HostParts {
		const { platform, movers } = this.parts;
		return {
			installation: this.installation,
			platform: lifetime.guard(platform),
			movers: lifetime.guard(movers, outside),
			tombstones: new Tombstones(this.installation.home),
			reportNumbers: new ReportNumbers(this.installation.home, fastClock),
			repositories: lifetime.guard(this.repositories, outside),
			log: quiet,
			clock: fastClock,
			reached: async place => {
				this.#come(place, lifetime);
				await lifetime.pass(Promise.resolve());
			},
			latency: noLatency,
			endForSeal: mover => mover.end(),
			mustBeConfigured: async () => undefined,
			findElsewhere: async () => undefined,
			askToken,
		};
	}

	#come(place: string, lifetime: Lifetime): void {
		this.places.add(place);
		if (lifetime.over) return;
		const { death } = this;
		if (death?.place === place) {
			this.death = undefined;
			this.deathsMet += 1;
			void this.killSupervisor();
			void death.also();
		} else if (this.#random.chance(this.deadliness)) void this.killSupervisor();
	}

	#ask<T>(question: (supervisor: Supervisor) => Promise<T>): Promise<T> {
		const supervisor = this.#supervisor;
		if (supervisor === undefined || this.#lifetime.over)
			return Promise.reject(new RouseError('supervisor_unreachable', 'nobody listens'));
		const answer = within(this.#lifetime, () => question(supervisor));
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
