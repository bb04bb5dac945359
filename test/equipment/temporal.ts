import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectTo, type TemporalClient } from '../../client/connection.ts';
import { findTemporal } from '../../keeper/temporal-cli.ts';
import { cacheDirectory, type Installation, openInstallation, places } from '../../system/installation.ts';
import { publishTemporalTarget, type TemporalTarget } from '../../system/temporal-target.ts';
import { waitFor } from '../../system/wait.ts';
import { devServerAddress, devServerArguments, prepareNamespace } from '../../workers/temporal-server.ts';
import { freePort } from '../../system/free-port.ts';

/** A process of the test's own, ended with it whatever happens. */
export class OwnProcess {
	readonly child: ChildProcess;
	readonly #gone: Promise<void>;
	#said = '';

	constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string) {
		this.child = spawn(command, args, {
			stdio: ['ignore', 'pipe', 'pipe'],
			env,
			...(cwd === undefined ? {} : { cwd }),
		});
		this.child.stdout?.on('data', text => (this.#said += text));
		this.child.stderr?.on('data', text => (this.#said += text));
		this.#gone = new Promise((resolve, reject) => {
			this.child.once('close', () => resolve());
			this.child.once('error', reject);
		});
		this.#gone.catch(() => undefined); // thrown by end()
	}

	get said(): string {
		return this.#said;
	}

	async end(signal: NodeJS.Signals): Promise<void> {
		this.child.kill(signal);
		await this.#gone;
	}
}

/** An installation in a directory of its own, with a real Temporal server on a file database and real worker processes. */
export class TestInstallation {
	readonly installation: Installation;
	readonly target: TemporalTarget;
	readonly #temporalPath: string;
	readonly #processes: OwnProcess[] = [];
	readonly #clients: TemporalClient[] = [];

	private constructor(installation: Installation, target: TemporalTarget, temporalPath: string) {
		this.installation = installation;
		this.target = target;
		this.#temporalPath = temporalPath;
	}

	static async create(): Promise<TestInstallation> {
		const temporal = await findTemporal(cacheDirectory()); // first: nothing is left behind when it is missing
		assert.ok(temporal, 'the Temporal CLI is missing: ./rouse setup');
		const home = await mkdtemp(join(tmpdir(), 'rouse-server-test-'));
		const installation = await openInstallation(home);
		await mkdir(places.temporal(home), { recursive: true });
		const target = { address: `${devServerAddress}:${await freePort()}`, namespace: 'default' };
		await publishTemporalTarget(home, target);
		return new TestInstallation(installation, target, temporal.path);
	}

	/** Starts the server, again on the same port and file when it ran before, and returns when it answers. */
	async startServer(...more: string[]): Promise<OwnProcess> {
		const port = Number(this.target.address.split(':')[1]);
		const server = this.#run(
			this.#temporalPath,
			[...devServerArguments({ port }), ...more],
			places.temporal(this.installation.home),
		);
		const client = await waitFor(
			'Temporal to answer',
			() => {
				assert.equal(server.child.exitCode, null, `Temporal ended: ${server.said}`);
				return connectTo(this.target).catch(() => undefined);
			},
			{ timeoutMs: 60_000 },
		);
		await waitFor(
			'the namespace',
			() =>
				prepareNamespace(client.client.connection, this.target.namespace).then(
					() => true,
					() => false,
				),
			{ timeoutMs: 30_000 },
		);
		await client.close();
		return server;
	}

	startWorkers(...roles: ('control' | 'host')[]): OwnProcess {
		return this.#run(process.execPath, [join(checkout, 'workers', 'main.ts'), '--roles', roles.join(',')]);
	}

	async connect(): Promise<TemporalClient> {
		const client = await connectTo(this.target);
		this.#clients.push(client);
		return client;
	}

	async remove(): Promise<void> {
		for (const client of this.#clients) await client.close();
		for (const own of this.#processes.toReversed()) await own.end('SIGKILL');
		await rm(this.installation.runDirectory, { recursive: true, force: true });
		await rm(this.installation.home, { recursive: true, force: true });
	}

	#run(command: string, args: readonly string[], cwd?: string): OwnProcess {
		const env = { ...process.env, ROUSE_HOME: this.installation.home, ROUSE_LOG: 'warn' };
		const own = new OwnProcess(command, args, env, cwd);
		this.#processes.push(own);
		return own;
	}
}

const checkout = join(import.meta.dirname, '..', '..');
