import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { checkoutDirectory } from '../system/checkout.ts';
import { isErrno } from '../system/durable-file.ts';
import { runBuildTool } from './run-build-tool.ts';

/** All that supervisor, workers and movers are made of; tests, tools and documents stay behind. */
export const projectFolders: readonly string[] = [
	'activities',
	'appliance',
	'bench/peers',
	'cli',
	'client',
	'drills',
	'exports',
	'hypervisors',
	'inspection',
	'keeper',
	'model',
	'movers',
	'nbd',
	'qmp',
	'repository',
	'sources',
	'supervisor',
	'system',
	'vhdx',
	'volume',
	'workers',
	'workflows',
];
export const projectFiles: readonly string[] = ['package.json', 'package-lock.json', 'rouse', 'LICENSE'];

/** Temporal's core is there for five systems; this is the one of the appliance. */
const coreRelease = 'x86_64-unknown-linux-gnu';

/** https://docs.npmjs.com/cli/configuring-npm/package-lock-json: keys are places, the empty one is the project itself. */
const lockSchema = z.object({
	packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), optional: z.boolean().optional() })),
});

export interface ProductionPackage {
	/** `node_modules/…` */
	place: string;
	/** Of another system: it may not be there. */
	optional: boolean;
}

/** What of the lock file is installed where nobody develops, each without those inside it, in the order of the file. */
export function productionPackages(lock: unknown): ProductionPackage[] {
	return Object.entries(lockSchema.parse(lock).packages)
		.filter(([place, { dev }]) => place !== '' && dev !== true)
		.map(([place, { optional }]) => ({ place, optional: optional === true }));
}

/** Whether a file of a package is of use in the appliance; by its path within the package. */
export function isWanted(path: string): boolean {
	const parts = path.split('/');
	if (parts.includes('node_modules')) return false; // a package of its own
	const release = parts[parts.indexOf('releases') + 1];
	if (parts[0] === 'releases' && release !== undefined && release !== coreRelease) return false;
	return !/\.(map|d\.[cm]?ts)$/.test(path);
}

/** The checkout that we run from, its packages and the Node that runs it. Throws `config_invalid` when a package is missing. */
export async function copyRouse(root: string, { signal }: { signal?: AbortSignal | undefined }): Promise<void> {
	const rouse = join(root, 'opt', 'rouse');
	await copyProgram({ rouse, node: join(root, 'opt', 'node', 'bin', 'node') }, { signal });
	await symlink('/opt/node/bin/node', join(root, 'usr', 'bin', 'node'));
	// As a checkout is whose owner is somebody else, or whose umask was.
	for (const path of [rouse, join(root, 'opt', 'node')]) {
		await runBuildTool('chown', ['-R', '0:0', path], { signal });
		await runBuildTool('chmod', ['-R', 'u=rwX,go=rX', path], { signal });
	}
}

/** The same without a system around it: the checkout goes to `rouse`, and Node's program to `node`. */
export async function copyProgram(
	{ rouse, node }: { rouse: string; node: string },
	{ signal }: { signal?: AbortSignal | undefined },
): Promise<void> {
	await mkdir(rouse, { recursive: true });
	for (const name of [...projectFolders, ...projectFiles])
		await cp(join(checkoutDirectory, name), join(rouse, name), { recursive: true, verbatimSymlinks: true });
	const lock: unknown = JSON.parse(await readFile(join(checkoutDirectory, 'package-lock.json'), 'utf8'));
	for (const one of productionPackages(lock)) {
		signal?.throwIfAborted();
		await copyPackage(one, rouse);
	}
	await mkdir(dirname(node), { recursive: true });
	await cp(process.execPath, node);
}

async function copyPackage({ place, optional }: ProductionPackage, rouse: string): Promise<void> {
	const from = join(checkoutDirectory, place);
	try {
		await cp(from, join(rouse, place), {
			recursive: true,
			filter: path => path === from || isWanted(path.slice(from.length + 1)),
		});
	} catch (cause) {
		if (!isErrno(cause, 'ENOENT')) throw cause;
		if (optional) return;
		throw new RouseError('config_invalid', `${from} is not there, and package-lock.json names it`, {
			cause,
			hint: 'npm ci --ignore-scripts',
		});
	}
}
