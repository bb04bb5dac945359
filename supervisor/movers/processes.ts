import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { MigrationMoverControl, MountMoverControl, RepositoryMoverControl } from '../../movers/client.ts';
import { moverEnvironment, moverNodeOptions } from '../../system/node-options.ts';
import {
	type MoverConfigOfChunks,
	migrationMoverConfigSchema,
	mountMoverConfigSchema,
	repositoryMoverConfigSchema,
	repositoryOfMoverSchema,
} from '../../movers/config.ts';
import { olderLog } from '../../system/bounded-log.ts';
import { removeFileDurably } from '../../system/durable-file.ts';
import { type Installation, places } from '../../system/installation.ts';
import { inOwnScope } from '../../system/own-scope.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { readDocument, writeDocument } from '../files/document.ts';
import { moverDisks } from './mover-disks.ts';
import type {
	MigrationMover,
	MountMover,
	Mover,
	MoverKind,
	Movers,
	RecoveryMoversOf,
	RepositoryMover,
} from './movers.ts';
import { type MoverFiles, repositoryPlaces } from '../files/places.ts';
import { namesIn } from '../../system/names-in.ts';
import { withoutPowers } from '../../system/without-powers.ts';

/** Chunks that the guest read lately, kept in the mount mover's memory until they are local. */
const mountCacheBytes = 64 * 1024 * 1024;

/** The mount mover's socket becomes that of the machine's own user: capabilities(7). */
const givesSocketAway = ['chown'];

/** Where the movers' programs are; a test puts its own in the place of one. */
export interface MoverPrograms {
	mount: string;
	migration: string;
	repository: string;
}

export const moverPrograms: MoverPrograms = {
	mount: fileURLToPath(new URL('../../movers/mount-mover/main.ts', import.meta.url)),
	migration: fileURLToPath(new URL('../../movers/migration-mover/main.ts', import.meta.url)),
	repository: fileURLToPath(new URL('../../movers/repository-mover/main.ts', import.meta.url)),
};

/** Movers as processes of their own, which outlive the supervisor. */
export class MoverProcesses implements Movers {
	readonly #installation: Installation;
	readonly #programs: MoverPrograms;
	readonly #repositories = new Map<string, RepositoryMover>();

	constructor(installation: Installation, programs: MoverPrograms = moverPrograms) {
		this.#installation = installation;
		this.#programs = programs;
	}

	mount(of: RecoveryMoversOf): MountMover {
		const { places: at } = of;
		const sockets = [at.mountSocket, at.nbdSocket];
		const process = this.#process('mount', at.mountMover, at.runDirectory, sockets, async () => ({
			schema: mountMoverConfigSchema,
			config: {
				recoveryId: of.recoveryId,
				disks: await moverDisks(of),
				nbdSocket: at.nbdSocket,
				controlSocket: at.mountSocket,
				...(await this.#chunksOf(of)),
				offerSocket: at.offerSocket,
				cacheBytes: mountCacheBytes,
				volume: await of.volume?.(),
				...(await of.firstReads?.()),
			},
		}));
		return { ...process, control: new MountMoverControl(at.mountSocket), listens: () => listens(at.nbdSocket) };
	}

	migration(of: RecoveryMoversOf): MigrationMover {
		const { places: at } = of;
		const sockets = [at.migrationSocket, at.offerSocket];
		const process = this.#process('migration', at.migrationMover, at.runDirectory, sockets, async () => ({
			schema: migrationMoverConfigSchema,
			config: {
				recoveryId: of.recoveryId,
				disks: await moverDisks(of),
				controlSocket: at.migrationSocket,
				offerSocket: at.offerSocket,
				...(await this.#chunksOf(of)),
			},
		}));
		return { ...process, control: new MigrationMoverControl(at.migrationSocket) };
	}

	repository(directory: string): RepositoryMover {
		const known = this.#repositories.get(directory);
		if (known) return known;
		const at = repositoryPlaces(this.#installation, directory);
		const sockets = [at.chunkSocket, at.controlSocket];
		const process = this.#process('repository', at.files, at.runDirectory, sockets, async () => ({
			schema: repositoryMoverConfigSchema,
			config: {
				repository: directory,
				chunkSocket: at.chunkSocket,
				controlSocket: at.controlSocket,
				recoveries: places.recoveries(this.#installation.home),
			},
		}));
		const mover = { ...process, control: new RepositoryMoverControl(at.controlSocket) };
		this.#repositories.set(directory, mover);
		return mover;
	}

	async knownRepositories(): Promise<string[]> {
		const directory = places.repositoryMovers(this.#installation.home);
		const known: string[] = [];
		for (const name of await namesIn(directory)) {
			if (!name.endsWith('.json')) continue;
			const config = await readDocument(join(directory, name), repositoryOfMoverSchema);
			if (config) known.push(config.repository);
		}
		return known;
	}

	async #chunksOf({ repository, service }: RecoveryMoversOf): Promise<MoverConfigOfChunks> {
		if (service) return { chunkService: await service() };
		return { chunkSocket: repositoryPlaces(this.#installation, repository).chunkSocket };
	}

	#process<S extends z.ZodType>(
		kind: MoverKind,
		files: MoverFiles,
		runDirectory: string,
		sockets: readonly string[],
		describe: () => Promise<{ schema: S; config: z.input<S> }>,
	): Omit<Mover<unknown>, 'control'> {
		return {
			kind,
			holder: () => lockHolder(files.lock),
			start: async () => {
				await mkdir(join(files.config, '..'), { recursive: true });
				await mkdir(runDirectory, { recursive: true, mode: 0o700 });
				const { schema, config } = await describe();
				await writeDocument(files.config, schema, config);
				const args = [...moverNodeOptions, this.#programs[kind], files.config];
				const program = { command: process.execPath, args };
				const powerless = await withoutPowers(program, { more: kind === 'mount' ? givesSocketAway : [] });
				await spawnLocked({
					lockPath: files.lock,
					logPath: files.log,
					...inOwnScope(powerless, files.lock),
					env: this.#environment(),
				});
			},
			end: async () => {
				// A start that a dead supervisor began, and that has not come to its lock yet, finds nothing to work with.
				if (kind !== 'repository') await removeFileDurably(files.config);
				return endHolder(files.lock);
			},
			remove: async () => {
				for (const path of [...sockets, files.log, olderLog(files.log), files.lock]) await rm(path, { force: true });
				if (kind === 'repository') await rm(runDirectory, { recursive: true, force: true });
				// Last, since by it a repository's mover is found again.
				await rm(files.config, { force: true });
			},
		};
	}

	#environment(): NodeJS.ProcessEnv {
		const { ROUSE_TEST_KILL_AT: _ours, ...env } = process.env;
		return { ...env, ...moverEnvironment, NODE_COMPILE_CACHE: join(this.#installation.cacheDirectory, 'compile') };
	}
}

function listens(socketPath: string): Promise<boolean> {
	return new Promise(resolve => {
		const socket = connect(socketPath);
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => resolve(false));
	});
}
