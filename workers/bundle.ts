import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@temporalio/common';
import { replaceFileDurably } from '../system/durable-file.ts';
import { readIfThere } from '../system/if-there.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Folders whose sources end up in the bundle: `workflows` imports nothing else (but types). */
const bundledFolders = ['model', 'workflows'];
const bundledPackages = ['@temporalio/workflow', '@temporalio/worker', '@temporalio/common', 'zod'];

export interface WorkflowBundle {
	code: string;
	/** Made now, and not found in the cache. */
	built: boolean;
}

/**
 * The workflow code as one file, kept by the hash of all it is made of: bundling takes 2 to 4 s, reading it none. Several
 * processes may make the same bundle at once; each publishes a whole file, and they are alike.
 */
export async function workflowBundle(cacheDirectory: string, logger?: Logger): Promise<WorkflowBundle> {
	const directory = join(cacheDirectory, 'bundles');
	const path = join(directory, `${await hashSources()}.js`);
	const cached = await readIfThere(path);
	if (cached !== undefined) return { code: cached, built: false };
	// The bundler brings webpack and swc with it: loaded only when there is something to bundle.
	const { bundleWorkflowCode } = await import('@temporalio/worker');
	const { code } = await bundleWorkflowCode({
		workflowsPath: join(root, 'workflows', 'index.ts'),
		...(logger ? { logger } : {}),
	});
	await mkdir(directory, { recursive: true });
	await replaceFileDurably(path, code);
	return { code, built: true };
}

async function hashSources(): Promise<string> {
	const hash = createHash('sha256');
	for (const folder of bundledFolders) {
		const names = (await readdir(join(root, folder), { recursive: true })).filter(name => name.endsWith('.ts'));
		for (const name of names.toSorted()) {
			hash.update(`${folder}/${name}\0`);
			hash.update(await readFile(join(root, folder, name)));
		}
	}
	for (const name of bundledPackages) hash.update(`${name}@${await versionOf(name)}\0`);
	return hash.digest('hex').slice(0, 32);
}

async function versionOf(name: string): Promise<string> {
	const manifest: unknown = JSON.parse(await readFile(resolvePackage(name), 'utf8'));
	return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '';
}

function resolvePackage(name: string): string {
	return createRequire(import.meta.url).resolve(`${name}/package.json`);
}
