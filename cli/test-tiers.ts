import { spawn } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { findIsolation, isolated } from '../keeper/door/isolation.ts';
import { RouseError } from '../model/errors.ts';
import { proveZstdHandles } from '../repository/format/zstd-proof.ts';
import { zstdProofVariable } from '../repository/format/zstd.ts';
import { checkoutDirectory } from '../system/checkout.ts';
import type { Context } from './terminal/command.ts';

/** Fastest first. How many files run at once: much of the tier activity is waiting, emulated machines want the processors for themselves. */
const tiers = { unit: 4, sandbox: 2, activity: 3, replay: 1, server: 2, guest: 1, long: 1 } as const;
/** A server is started on ports that were free a moment before: each file has a network of its own, or the tier to itself. */
const inOwnNetwork: readonly TierName[] = ['server'];
export type TierName = keyof typeof tiers;
/** What runs when no tier is named. */
export const usualTiers: readonly TierName[] = ['unit', 'sandbox', 'activity', 'replay', 'server', 'guest'];
/** `long` takes many minutes and fetches hundreds of MiB: it is run when it is named. */
export const tierNames: readonly TierName[] = [...usualTiers, 'long'];

/** A test that hangs is ended and named; no test comes near it. */
const hangsAfterMs = 600_000;
/** Of the tier `long`: an image is made, and booted under emulation. */
const longHangsAfterMs = 3_600_000;

export interface TierResult {
	name: TierName;
	files: number;
	passed: boolean;
	durationMs: number;
}

export async function testFiles(tier: TierName): Promise<string[]> {
	const files: string[] = [];
	for await (const file of glob(`test/${tier}/**/*.test.ts`, { cwd: checkoutDirectory })) files.push(file);
	return files.toSorted();
}

/** Runs Node's test runner; its report goes to our stdout, or to stderr with `--json`. */
export async function runTier(tier: TierName, files: readonly string[], context: Context): Promise<TierResult> {
	const startedAt = performance.now();
	await proveZstdHandles(); // as every supervisor does for its movers
	const limitMs = tier === 'long' ? longHangsAfterMs : hangsAfterMs;
	const networks = inOwnNetwork.includes(tier) ? await ownNetworks() : { args: [], env: {} };
	const atOnce = networks ? tiers[tier] : 1;
	const child = spawn(
		process.execPath,
		[...(networks?.args ?? []), '--test', `--test-concurrency=${atOnce}`, `--test-timeout=${limitMs}`, ...files],
		{
			cwd: checkoutDirectory,
			env: { ...testEnvironment(context.env), ...networks?.env },
			stdio: ['ignore', context.output.json ? 2 : 1, 2],
		},
	);
	// On a terminal Ctrl-C reaches the runner by itself; a SIGTERM to us does not.
	const pass = () => child.kill('SIGTERM');
	context.signal.addEventListener('abort', pass, { once: true });
	try {
		const code = await new Promise<number>((resolve, reject) => {
			child.once('error', reject);
			child.once('exit', (exit, by) => resolve(exit ?? 128 + constants.signals[by ?? 'SIGKILL']));
		});
		context.signal.throwIfAborted();
		return {
			name: tier,
			files: files.length,
			passed: code === 0,
			durationMs: Math.round(performance.now() - startedAt),
		};
	} finally {
		context.signal.removeEventListener('abort', pass);
	}
}

/** How the runner gives each file a network of its own; undefined for who may make none without becoming another user. */
async function ownNetworks(): Promise<{ args: string[]; env: NodeJS.ProcessEnv } | undefined> {
	const options = await findIsolation().catch((error: unknown) => {
		if (error instanceof RouseError) return [];
		throw error;
	});
	if (options.join() !== '-n') return undefined;
	const { command, args } = isolated({ command: process.execPath, args: [] }, options);
	const preload = join(checkoutDirectory, 'test', 'equipment', 'own-network.ts');
	return { args: ['--import', preload], env: { ROUSE_TEST_NETWORK: JSON.stringify([command, ...args]) } };
}

/** No test may meet the installation of the person who runs them. */
function testEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	// Nor how the launcher was called: hints are compared as they are without it.
	const { ROUSE_HOME: _home, ROUSE_REPO: _repository, ROUSE_COMMAND: _called, ...rest } = env;
	// How busy the disks of this machine are is not what tests are to depend on.
	const zstd = { [zstdProofVariable]: process.env[zstdProofVariable] };
	return { ROUSE_TEST_LATENCY: 'off', ...rest, ...zstd, PATH: `${join(process.execPath, '..')}:${env['PATH'] ?? ''}` };
}
