import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { keepRepositories } from './kept-repositories.ts';

/**
 * A directory that goes with the test. Hooks run in the order of their registration: what must end before the directory
 * does, since the locks that tell of it lie there, is `first`.
 */
export async function temporaryDirectory(
	t: Pick<TestContext, 'after'> & { name?: string },
	first: (directory: string) => Promise<unknown> = async () => {},
): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-test-'));
	t.after(async () => {
		try {
			await first(directory);
			await keepRepositories(directory, t.name);
		} finally {
			await rm(directory, { recursive: true, force: true });
		}
	});
	return directory;
}

/** The user of that name on every Linux. */
export const nobody = 65534;

/** A directory of another user: root can make one, and to everybody else root's own are such. */
export async function anothersDirectory(t: Pick<TestContext, 'after'>): Promise<string> {
	if (process.getuid?.() !== 0) return '/usr';
	const path = await temporaryDirectory(t);
	await chown(path, nobody, nobody);
	return path;
}

export interface Captive {
	child: ChildProcess;
	/** What it has written to standard output and error so far. */
	said: () => string;
	/** Ends it, unless it has ended, and waits until it is gone. */
	end: (signal?: NodeJS.Signals) => Promise<void>;
}

/** A program that lives no longer than the test that started it. */
export function captive(t: Pick<TestContext, 'after'>, program: string, args: readonly string[]): Captive {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	child.stdout.on('data', text => (said += text));
	child.stderr.on('data', text => (said += text));
	const gone = new Promise<void>((resolve, reject) => {
		child.once('close', () => resolve());
		child.once('error', reject);
	});
	gone.catch(() => {}); // reported by end()
	const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
		child.kill(signal);
		await gone;
	};
	t.after(() => end('SIGKILL'));
	return { child, said: () => said, end };
}

/** An nbdkit with these arguments on a Unix socket; resolves when it listens. */
export async function nbdkit(
	t: Pick<TestContext, 'after'>,
	args: readonly string[],
): Promise<Captive & { socket: string }> {
	const socket = join(await temporaryDirectory(t), 'nbd.sock');
	const server = captive(t, 'nbdkit', ['-f', '-U', socket, ...args]);
	await listening(server, socket);
	return { ...server, socket };
}

/** A qemu-nbd for one image on a Unix socket; resolves when it listens. */
export async function qemuNbd(
	t: Pick<TestContext, 'after'>,
	args: readonly string[],
): Promise<Captive & { socket: string }> {
	const socket = join(await temporaryDirectory(t), 'nbd.sock');
	const server = captive(t, 'qemu-nbd', ['-t', '-e', '0', '-k', socket, ...args]);
	await listening(server, socket);
	return { ...server, socket };
}

async function listening(server: Captive, socket: string): Promise<void> {
	await waitFor(
		`${server.child.spawnfile} on ${socket}`,
		async () => {
			if (server.child.exitCode !== null) throw new Error(`${server.child.spawnfile}: ${server.said()}`);
			return answers(socket);
		},
		{ timeoutMs: 20_000 },
	);
}

async function answers(path: string): Promise<boolean> {
	return new Promise(resolve => {
		const probe = connect({ path });
		probe.once('error', () => resolve(false));
		probe.once('connect', () => {
			probe.destroy();
			resolve(true);
		});
	});
}
