/** A repository of another machine: served by `repo serve` there, and named by the configuration of a host here. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { directAccess } from '../../repository/access/direct.ts';
import { Grants } from '../../repository/service/grants.ts';
import { admitHost, type HostKeys } from '../../repository/service/service-keys.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import type { RepositoryElsewhere } from '../../system/repository-elsewhere.ts';
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
	readonly grants: Grants;
	readonly keys: HostKeys;
	readonly #t: Pick<TestContext, 'after'>;
	#served: Served | undefined;

	private constructor(t: Pick<TestContext, 'after'>, home: string, stored: StoredDisk, keys: HostKeys) {
		this.#t = t;
		this.home = home;
		this.grants = new Grants(home);
		this.stored = stored;
		this.keys = keys;
	}

	/** A new repository with this disk, served to a host that is called `hv1`. */
	static async serve(t: Pick<TestContext, 'after'>, bytes: Buffer): Promise<Elsewhere> {
		const directory = await temporaryDirectory(t);
		return Elsewhere.of(t, await storeDisk(join(directory, 'repository'), bytes));
	}

	static async of(t: Pick<TestContext, 'after'>, stored: StoredDisk): Promise<Elsewhere> {
		const directory = await temporaryDirectory(t);
		const home = join(directory, 'home');
		await mkdir(home, { mode: 0o700 });
		await writeFile(join(home, 'config.yaml'), JSON.stringify({ repositories: { main: stored.directory } }));
		const elsewhere = new Elsewhere(
			t,
			home,
			stored,
			await admitHost(home, 'hv1', join(directory, 'keys'), ['repositories']),
		);
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

	/** As the host's config.yaml says it. */
	configured(keys: HostKeys = this.keys): RepositoryElsewhere {
		return { directory: this.stored.directory, host: '127.0.0.1', port: this.served.port, ...keys };
	}

	/** A host that knows the repository by its service alone; nothing is started. */
	async host(keys: HostKeys = this.keys): Promise<SupervisedHost> {
		const host = await SupervisedHost.create(this.#t);
		const config = { host: { name: 'hv1' }, repositoriesElsewhere: { main: this.configured(keys) } };
		await writeFile(join(host.installation.home, 'config.yaml'), JSON.stringify(config));
		return host;
	}

	/** As the control side does it before the recovery has a disk. */
	async pin({ recoveryId, name, plan }: SteppedRecovery, { host = 'hv1' } = {}): Promise<void> {
		const { machine, restorePoint, manifestDigest, repository } = plan;
		const what = { recoveryId, machine, restorePoint, manifestDigest };
		await this.grants.give({ ...what, name, host, repository });
		await directAccess.pin(repository, { ...what, reason: `recovery ${name}` });
	}

	async pins(): Promise<string[]> {
		return (await directAccess.listPins(this.stored.directory)).pins.map(({ recoveryId }) => recoveryId);
	}

	/** Of the point that is there. */
	async plan(more: Partial<RecoveryPlan> = {}): Promise<RecoveryPlan> {
		const plan = samplePlan(this.stored, more);
		const { manifestDigest } = await directAccess.readPoint(plan.repository, plan.machine, plan.restorePoint);
		return { ...plan, manifestDigest };
	}
}
