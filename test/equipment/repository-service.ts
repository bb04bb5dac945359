/** A repository that is served by TLS, and what a mover is told to read from there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ChunkService } from '../../movers/config.ts';
import { hostKeysIn } from '../../repository/service/service-keys.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import type { Captive } from './captive.ts';
import { rouse } from './command-line.ts';
import { sampleRecoveryId } from './movers.ts';

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface RepositoryService extends Captive {
	port: number;
	/** What a mover is told that asks it. */
	service: ChunkService;
}

export interface ServiceOptions {
	host?: string;
	port?: number;
	/** Whose keys it has; by default of its own directory. */
	home?: string;
	/** Of the connection that movers are told to open. */
	silenceMs?: number;
	/** A network namespace that it is in. */
	namespace?: string;
}

/** Keys of a host and a token for the sample machine's point, by the commands that give them out. */
export async function handOut(
	home: string,
	directory: string,
	repository: string,
): Promise<Pick<ChunkService, 'authority' | 'certificate' | 'key' | 'token'>> {
	const keys = join(directory, 'host-keys');
	await repo(home, ['admit', 'hv1', '--to', keys]);
	return { ...hostKeysIn(keys), token: await handToken(home, directory, repository) };
}

/** The token alone, in a file of this directory. */
export async function handToken(
	home: string,
	directory: string,
	repository: string,
	machine = 'sample',
): Promise<string> {
	const token = join(directory, 'token');
	const said = ['--repo', repository, '--recovery', sampleRecoveryId, '--to', token];
	await repo(home, ['token', `${machine}@latest`, ...said]);
	return token;
}

async function repo(home: string, args: readonly string[]): Promise<void> {
	const { exitCode, stderr } = await rouse(home, ['repo', ...args]);
	assert.equal(exitCode, 0, stderr);
}

/** `rouse repo serve` as a process of its own. */
export async function startRepositoryService(
	t: Pick<TestContext, 'after'>,
	directory: string,
	repository: string,
	options: ServiceOptions = {},
): Promise<Omit<RepositoryService, 'service'>> {
	const { host = '127.0.0.1', port = 0, home = join(directory, 'home'), namespace } = options;
	const serve = [main, 'repo', 'serve', repository, '--listen', `${host}:${port}`, '--json'];
	const inside = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
	const [program = '', ...args] = [...inside, process.execPath, ...serve];
	const env = { ...process.env, ROUSE_HOME: home, NODE_COMPILE_CACHE: join(cacheDirectory(), 'compile') };
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
	let said = '';
	child.stdout.on('data', text => (said += text));
	child.stderr.on('data', text => (said += text));
	const gone = new Promise<void>(resolve => child.once('close', () => resolve()));
	const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
		child.kill(signal);
		await gone;
	};
	t.after(() => end('SIGKILL'));
	const listening = await waitFor(
		'`repo serve` to listen',
		() => {
			if (child.exitCode !== null) throw new Error(`repo serve: ${said}`);
			return /"port":(\d+)/.exec(said)?.[1];
		},
		{ timeoutMs: 30_000 },
	);
	return { child, said: () => said, end, port: Number(listening) };
}

/** A served repository with the sample machine, and how the movers of a recovery of it are to reach it. */
export async function serveSample(
	t: Pick<TestContext, 'after'>,
	directory: string,
	options: ServiceOptions = {},
): Promise<RepositoryService> {
	const { host = '127.0.0.1', home = join(directory, 'home'), silenceMs = 10_000 } = options;
	const repository = join(directory, 'repository');
	const handed = await handOut(home, directory, repository);
	const served = await startRepositoryService(t, directory, repository, options);
	return { ...served, service: { host, port: served.port, ...handed, silenceMs } };
}
