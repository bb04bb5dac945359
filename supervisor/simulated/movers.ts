import { systemClock, type Clock } from '../../system/clock.ts';
import { createLog, type Log } from '../../system/log.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import type { ReadBase } from '../../hypervisors/simulated/read-base.ts';
import { openRepositoryMover } from '../../movers/repository-mover/open-client.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import { moverDisks } from '../movers/mover-disks.ts';
import type {
	MigrationMover,
	MountMover,
	Mover,
	MoverKind,
	Movers,
	RecoveryMoversOf,
	RepositoryMover,
} from '../movers/movers.ts';
import { Life, type Program } from './life.ts';
import { type MigrationProgram, openMigration } from './migration-program.ts';
import { type MountProgram, type MountSurroundings, openMount } from './mount-program.ts';
import { RepositoryProgram } from './repository-program.ts';
import { type MayGoOn, ServiceSupply, Supply } from './supply.ts';

export interface SimulatedMoversOptions {
	clock?: Clock;
	log?: Log;
	/** Room under a path that a copy may fill; without end by default. */
	freeBytes?: (path: string) => Promise<number>;
	/** A place that a migration mover has just reached. */
	reached?: (place: string, recoveryId: string) => void;
}

/** The movers of one recovery, as a test deals with them. */
export class SimulatedPair {
	readonly mount = new Life<MountProgram>('mount');
	readonly migration = new Life<MigrationProgram>('migration');
	#held: PromiseWithResolvers<void> | undefined;

	/** The mount mover gets no chunk any more: reads of what is not at hand wait, until {@link release}. */
	holdReads(): void {
		this.#held ??= Promise.withResolvers();
	}

	release(): void {
		this.#held?.resolve();
		this.#held = undefined;
	}

	/** For the mount mover's chunks. */
	async released(signal: AbortSignal): Promise<void> {
		while (this.#held) await untilAborted(this.#held.promise, signal);
	}
}

/**
 * Movers in the process of who looks after them, without sockets: the code that reads, fetches, verifies, writes and
 * records is that of the real ones. They end with this process.
 */
export class SimulatedMovers implements Movers {
	readonly #options: Required<SimulatedMoversOptions>;
	readonly #pairs = new Map<string, SimulatedPair>();
	readonly #repositories = new Map<string, Life<RepositoryProgram>>();

	constructor(options: SimulatedMoversOptions = {}) {
		this.#options = {
			clock: systemClock,
			log: createLog('simulated-movers'),
			freeBytes: async () => Number.POSITIVE_INFINITY,
			reached: () => undefined,
			...options,
		};
	}

	/** The pair of a recovery, from its first mover to the removal of its last. */
	pair(recoveryId: string): SimulatedPair {
		return known(this.#pairs, recoveryId, () => new SimulatedPair());
	}

	repositoryLife(directory: string): Life<RepositoryProgram> {
		return known(this.#repositories, directory, () => new Life<RepositoryProgram>('repository'));
	}

	/** The host has gone, and with it every process on it. */
	async endAll(): Promise<void> {
		const pairs = [...this.#pairs.values()].flatMap(({ mount, migration }) => [mount, migration]);
		for (const life of [...pairs, ...this.#repositories.values()]) await life.die();
	}

	/** For the platform of the same host. */
	readonly readBase: ReadBase = async ({ recoveryId }, disk, offsetBytes, into, signal) => {
		const { mount } = this.pair(recoveryId);
		const { program } = mount;
		// One that hangs has taken the request, and the next mover will be asked anew.
		if (program === undefined || (await mount.answering(signal)) !== program) throw mount.unreachable();
		await program.read(disk, offsetBytes, into, signal);
	};

	mount(of: RecoveryMoversOf): MountMover {
		const { recoveryId } = of;
		const pair = this.pair(recoveryId);
		const { mount } = pair;
		const open = async () => {
			const disks = await moverDisks(of);
			const firstReads = (await of.firstReads?.()) ?? { recordsFirstReads: false };
			const source = await this.#source(of, async signal => {
				await mount.answering(signal);
				await pair.released(signal);
			});
			const offer: MountSurroundings['offer'] = (...offered) => {
				// A favour: one that cannot take it now comes to it by itself.
				void pair.migration.ask(program => program.offer(...offered)).catch(() => undefined);
			};
			return () => openMount(recoveryId, disks, { source, offer, clock: this.#options.clock, firstReads });
		};
		return {
			...mover('mount', mount, open, () => this.#remove(recoveryId)),
			control: {
				state: () => mount.ask(program => program.state()),
				failPending: forMs => mount.ask(program => program.failPending(forMs)),
				serve: () => mount.ask(program => program.serve()),
				firstReads: () => mount.ask(program => program.firstReads()),
			},
			listens: async () => mount.program !== undefined,
		};
	}

	migration(of: RecoveryMoversOf): MigrationMover {
		const { recoveryId } = of;
		const pair = this.pair(recoveryId);
		const { migration } = pair;
		const open = async () => {
			const disks = await moverDisks(of);
			const source = await this.#source(of, signal => migration.answering(signal));
			const { freeBytes, log, clock } = this.#options;
			const reached = (place: string) => {
				this.#options.reached(place, recoveryId);
				if (place === 'migration.recorded') void pair.mount.program?.follow();
			};
			return () => openMigration(recoveryId, disks, { source, reached, freeBytes, log, clock });
		};
		return {
			...mover('migration', migration, open, () => this.#remove(recoveryId)),
			control: {
				state: () => migration.ask(program => program.migration.state()),
				copy: maxRateBytes => migration.ask(program => program.copy(maxRateBytes)),
				pause: () => migration.ask(program => program.migration.pause()),
				rate: maxRateBytes => migration.ask(program => program.migration.bucket.setRate(maxRateBytes)),
				retry: () => migration.ask(program => program.migration.retry()),
			},
		};
	}

	repository(directory: string): RepositoryMover {
		const life = this.repositoryLife(directory);
		const open = async () => async () => new RepositoryProgram(directory, this.#options.clock);
		return {
			...mover('repository', life, open, () => undefined),
			control: {
				state: () => life.ask(program => program.state()),
				rate: maxRateBytes => life.ask(program => program.rate.setRate(maxRateBytes)),
			},
		};
	}

	async knownRepositories(): Promise<string[]> {
		return [...this.#repositories].filter(([, { holder }]) => holder !== undefined).map(([directory]) => directory);
	}

	async #source({ recoveryId, repository, service }: RecoveryMoversOf, mayGoOn: MayGoOn): Promise<RetryingChunkSource> {
		const supply = service
			? new ServiceSupply(await openRepositoryMover({ chunkService: await service() }), mayGoOn)
			: new Supply(this.repositoryLife(repository), mayGoOn, recoveryId);
		return new RetryingChunkSource(supply, this.#options.clock);
	}

	/** Both of a pair are removed, one after the other. */
	#remove(recoveryId: string): void {
		const { mount, migration } = this.pair(recoveryId);
		if (mount.holder === undefined && migration.holder === undefined) this.#pairs.delete(recoveryId);
	}
}

function mover<P extends Program>(
	kind: MoverKind,
	life: Life<P>,
	open: () => Promise<() => Promise<P>>,
	remove: () => void,
): Omit<Mover<unknown>, 'control'> {
	return {
		kind,
		holder: async () => life.holder,
		start: () => life.start(open),
		end: () => life.end(),
		remove: async () => remove(),
	};
}

function known<T>(all: Map<string, T>, key: string, make: () => T): T {
	const found = all.get(key) ?? make();
	all.set(key, found);
	return found;
}
