/** A repository of another machine: served by `repo serve` there, and named by the configuration of a host here. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openRepository } from '../../repository/repository.ts';
import { readPoint } from '../../repository/points.ts';
import { makeToken } from '../../repository/service/point-token.ts';
import { admitHost, type HostKeys, readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { temporaryDirectory } from './captive.ts';
import { samplePlan, type SteppedRecovery } from './recoveries.ts';
import { type RepositoryService, startRepositoryService } from './repository-service.ts';
import { storeDisk, type StoredDisk } from './stored-disk.ts';
import { SupervisedHost } from './supervised-host.ts';

type Served = Omit<RepositoryService, 'service'>;

export class Elsewhere {
	readonly stored: StoredDisk;
	/** Of the installation that has the repository. */
	readonly home: string;
	readonly keys: HostKeys;
	readonly #t: Pick<TestContext, 'after'>;
	#served: Served | undefined;

	private constructor(t: Pick<TestContext, 'after'>, home: string, stored: StoredDisk, keys: HostKeys) {
		this.#t = t;
		this.home = home;
		this.stored = stored;
		this.keys = keys;
	}

	/** Served to a host that is called `admitted`. */
	static async serve(t: Pick<TestContext, 'after'>, bytes: Buffer, { admitted = 'hv1' } = {}): Promise<Elsewhere> {
		const directory = await temporaryDirectory(t);
		const home = join(directory, 'home');
		const stored = await storeDisk(join(directory, 'repository'), bytes);
		await mkdir(home, { mode: 0o700 });
		await writeFile(join(home, 'config.yaml'), JSON.stringify({ repositories: { main: stored.directory } }));
		const elsewhere = new Elsewhere(t, home, stored, await admitHost(home, admitted, join(directory, 'keys')));
		await elsewhere.start();
		return elsewhere;
	}

	get served(): Served {
		if (this.#served === undefined) throw new Error('it is not served');
		return this.#served;
	}

	/** At the same port as before. */
	async start(): Promise<void> {
		const { port } = this.#served ?? {};
		const where = port === undefined ? { home: this.home } : { home: this.home, port };
		this.#served = await startRepositoryService(this.#t, this.home, this.stored.directory, where);
	}

	/** A host that knows the repository by its service alone; nothing is started. */
	async host(keys: HostKeys = this.keys): Promise<SupervisedHost> {
		const host = await SupervisedHost.create(this.#t);
		const { directory } = this.stored;
		const main = { directory, host: '127.0.0.1', port: this.served.port, ...keys };
		const config = { host: { name: 'hv1' }, repositoriesElsewhere: { main } };
		await writeFile(join(host.installation.home, 'config.yaml'), JSON.stringify(config));
		return host;
	}

	/** Lays the token of a recovery where its movers look for it. */
	async grant({ recoveryId, name, plan }: SteppedRecovery, { installation }: SupervisedHost): Promise<void> {
		const repository = await openRepository(this.stored.directory);
		await repository.store.close();
		const { machine, restorePoint: time, manifestDigest } = plan;
		const grant = { recoveryId, repositoryId: repository.id, machine, time, manifestDigest };
		const token = makeToken(await readTokenKey(await serviceKeys(this.home)), grant);
		await writeFile(recoveryPlaces(installation, name, recoveryId).token, token, { mode: 0o600 });
	}

	/** Of the point that is there. */
	async plan(): Promise<RecoveryPlan> {
		const repository = await openRepository(this.stored.directory);
		try {
			const plan = samplePlan(this.stored);
			return { ...plan, manifestDigest: (await readPoint(repository, plan.machine, plan.restorePoint)).manifestDigest };
		} finally {
			await repository.store.close();
		}
	}
}
