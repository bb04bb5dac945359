/** Rouse itself, as its users run it: its command line and its movers, each a process of its own. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { MigrationMoverControl, MountMoverControl, RepositoryMoverControl } from '../../movers/client.ts';
import { moverEnvironment, moverNodeOptions } from '../../system/node-options.ts';
import type { MigrationMoverConfig, MountMoverConfig, MoverDisk, RepositoryMoverConfig } from '../../movers/config.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { fileIdentity } from '../../system/file-identity.ts';
import { waitFor } from '../../system/wait.ts';
import { runMeasured } from './measure.ts';
import type { Scope } from './scope.ts';
import { machine } from './stored-disk.ts';
import { listens, type NbdServer, type Server, startServer } from './servers.ts';

/** As the supervisor gives it to a mount mover (supervisor/movers/processes.ts). */
const cacheBytes = 64 * 1024 * 1024;
/** A mover that is busy answers late, and nobody is hurt by it here. */
const patient = { timeoutMs: 60_000 };

export function rouse(...args: readonly string[]): string[] {
	// With the options that the launcher gives.
	return [
		process.execPath,
		...process.execArgv,
		join(checkoutDirectory, 'cli', 'main.ts'),
		...args,
		'--json',
		'--quiet',
	];
}

/** Nothing of the installation of whoever measures. */
export function rouseEnvironment(scope: Scope): NodeJS.ProcessEnv {
	return { ...process.env, ROUSE_HOME: join(scope.directory, 'home'), ROUSE_REPO: '' };
}

export async function serveFromRepository(scope: Scope, repository: string): Promise<NbdServer> {
	const socket = scope.path('s.sock');
	const argv = rouse('nbd', 'serve', `${machine}@latest`, '--socket', socket, '--repo', repository);
	const server = await startServer(scope, argv, { ready: () => listens(socket), env: rouseEnvironment(scope) });
	return { ...server, socket, exportName: 'disk0' };
}

/** A target as a recovery makes it: all its space is taken at the start, unless it is `sparse`. */
export async function makeTarget(
	scope: Scope,
	image: DiskImage,
	{ recoveryId, name = 'disk0', sparse = false }: { recoveryId: string; name?: string; sparse?: boolean },
): Promise<MoverDisk> {
	const path = scope.path(`${name}.raw`);
	const size = Math.ceil(image.sizeBytes / 512) * 512;
	if (sparse) {
		const file = await open(path, 'wx');
		await file.truncate(size);
		await file.close();
	} else await runMeasured(['fallocate', '--length', String(size), path], { signal: scope.signal });
	const mapPath = scope.path(`${name}.map`);
	const target = { path, identity: fileIdentity(await stat(path, { bigint: true })), offsetBytes: 0 };
	await createRestoredMap(mapPath, restoredMapIdentity(recoveryId, image, target.identity), { targetReadsZero: true });
	return { name, image, target, mapPath };
}

/** The movers of one recovery, in a directory of their own. */
export class RecoveryMovers {
	readonly recoveryId: string;
	readonly #scope: Scope;
	readonly #directory: string;

	private constructor(scope: Scope, directory: string, recoveryId: string) {
		this.#scope = scope;
		this.#directory = directory;
		this.recoveryId = recoveryId;
	}

	static async in(scope: Scope, recoveryId: string = randomUUID()): Promise<RecoveryMovers> {
		const directory = scope.path('m');
		await mkdir(directory);
		return new RecoveryMovers(scope, directory, recoveryId);
	}

	async repository(repository: string): Promise<Server> {
		const config: RepositoryMoverConfig = {
			repository,
			chunkSocket: this.#at('chunks.sock'),
			controlSocket: this.#at('repository.sock'),
			recoveries: this.#at('recoveries'),
			aloneMs: 600_000,
		};
		const control = new RepositoryMoverControl(config.controlSocket);
		return await this.#start('repository', config, () => control.state());
	}

	async mount(disks: MoverDisk[]): Promise<NbdServer> {
		const config: MountMoverConfig = {
			...this.#ofBoth(disks, 'mount.sock'),
			nbdSocket: this.#at('nbd.sock'),
			cacheBytes,
			recordsFirstReads: false,
		};
		const control = new MountMoverControl(config.controlSocket);
		const server = await this.#start('mount', config, () => control.state());
		await waitFor('the mount mover to serve', () => listens(config.nbdSocket), {
			...patient,
			signal: this.#scope.signal,
		});
		return { ...server, socket: config.nbdSocket, exportName: 'disk0-wait' };
	}

	async migration(disks: MoverDisk[]): Promise<Server & { control: MigrationMoverControl }> {
		const config: MigrationMoverConfig = this.#ofBoth(disks, 'migration.sock');
		const control = new MigrationMoverControl(config.controlSocket);
		return { ...(await this.#start('migration', config, () => control.state())), control };
	}

	#ofBoth(disks: MoverDisk[], controlSocket: string): MigrationMoverConfig {
		return {
			recoveryId: this.recoveryId,
			disks,
			controlSocket: this.#at(controlSocket),
			offerSocket: this.#at('offer.sock'),
			chunkSocket: this.#at('chunks.sock'),
			aloneMs: 600_000,
		};
	}

	#at(name: string): string {
		return join(this.#directory, name);
	}

	async #start(kind: 'repository' | 'mount' | 'migration', config: object, ask: () => Promise<unknown>) {
		const path = this.#at(`${kind}.json`);
		await writeFile(path, JSON.stringify(config));
		const answers = () =>
			ask().then(
				() => true,
				() => false, // not yet; one that ended is told by startServer
			);
		const program = join(checkoutDirectory, 'movers', `${kind}-mover`, 'main.ts');
		const argv = [process.execPath, ...moverNodeOptions, program, path];
		return await startServer(this.#scope, argv, { ready: answers, env: { ...process.env, ...moverEnvironment } });
	}
}

/** Copies all disks of a migration mover, and returns when all of it is durable. */
export async function copyAll(control: MigrationMoverControl, signal: AbortSignal): Promise<void> {
	await control.copy(0, { ...patient, signal });
	const whole = async () => {
		// Of a trouble it says itself when it is over.
		const { disks, failure, badChunks } = await control.state({ ...patient, signal });
		const [bad] = badChunks;
		if (failure) throw new RouseError('internal', `the copy: ${failure.message}`);
		if (bad) throw new RouseError('internal', `the copy: chunk ${bad.index} of ${bad.disk} is bad`);
		return disks.every(({ complete }) => complete);
	};
	// Not so often that asking costs what is measured.
	await waitFor('the copy to end', whole, { timeoutMs: 3_600_000, everyMs: 50, signal });
}
