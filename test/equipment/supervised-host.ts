import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SupervisorClient } from '../../supervisor/client.ts';
import { type Installation, openInstallation, places } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';

/** An installation of its own with a real supervisor as a process of its own; all of it goes with the test. */
export class SupervisedHost {
	readonly installation: Installation;
	readonly client: SupervisorClient;
	readonly lockPath: string;
	readonly logPath: string;
	readonly #firsts: (() => Promise<unknown>)[] = [];

	private constructor(installation: Installation) {
		this.installation = installation;
		this.client = SupervisorClient.of(installation);
		this.lockPath = join(places.services(installation.home), 'supervisor.lock');
		this.logPath = join(places.services(installation.home), 'supervisor.log');
	}

	/** With nothing started. `directory`: one that is there and empty, for its home. */
	static async create(t: Pick<TestContext, 'after'>, directory?: string): Promise<SupervisedHost> {
		const home = directory ?? (await mkdtemp(join(tmpdir(), 'rouse-host-')));
		const host = new SupervisedHost(await openInstallation(home));
		await mkdir(places.services(home), { recursive: true });
		// One hook for processes and directory: the locks that tell of the processes lie in the directory.
		t.after(() => host.#removeAll());
		return host;
	}

	/** Done before processes and directory are removed. */
	after(hook: () => Promise<unknown>): void {
		this.#firsts.push(hook);
	}

	/** `killAt`: a place where this supervisor kills itself. */
	async start({ killAt = '' } = {}): Promise<void> {
		await spawnLocked({
			lockPath: this.lockPath,
			logPath: this.logPath,
			command: process.execPath,
			args: [fileURLToPath(new URL('../../supervisor/main.ts', import.meta.url))],
			env: { ...process.env, ROUSE_HOME: this.installation.home, ROUSE_TEST_KILL_AT: killAt },
		});
		await waitFor(
			'the supervisor to answer',
			async () => {
				if (!(await this.pid())) throw new Error(await this.log());
				return this.client.recoveries().then(
					() => true,
					() => false,
				);
			},
			{ timeoutMs: 20_000 },
		);
	}

	async pid(): Promise<number | undefined> {
		return (await lockHolder(this.lockPath))?.pid;
	}

	/** Resolves when the supervisor has ended by itself. */
	async ended(timeoutMs = 60_000): Promise<void> {
		await waitFor('the supervisor to be gone', async () => (await this.pid()) === undefined, { timeoutMs });
	}

	async kill(): Promise<void> {
		await endHolder(this.lockPath);
	}

	async log(): Promise<string> {
		return readFile(this.logPath, 'utf8');
	}

	directory(name: string): string {
		return join(places.recoveries(this.installation.home), name);
	}

	/** Every process that this host's locks tell of. */
	async processes(): Promise<{ lock: string; pid: number }[]> {
		const found: { lock: string; pid: number }[] = [];
		const files = await readdir(this.installation.home, { recursive: true });
		for (const file of files) {
			if (!file.endsWith('.lock')) continue;
			const holder = await lockHolder(join(this.installation.home, file));
			if (holder) found.push({ lock: file, pid: holder.pid });
		}
		return found;
	}

	async #removeAll(): Promise<void> {
		for (const first of this.#firsts) await first();
		await this.kill();
		for (const { lock } of await this.processes()) await endHolder(join(this.installation.home, lock));
		await rm(this.installation.runDirectory, { recursive: true, force: true });
		await rm(this.installation.home, { recursive: true, force: true });
	}
}
