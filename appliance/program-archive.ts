/** The program for another Linux machine, in one file: the checkout, its packages and Node, as they are in the appliance. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { exists } from '../system/if-there.ts';
import { namesIn } from '../system/names-in.ts';
import { hashInputs } from './inputs.ts';
import { copyProgram } from './rouse-files.ts';
import { runBuildTool } from './run-build-tool.ts';

export interface ProgramArchive {
	/** tar, packed by gzip; in it `rouse` and `node`. */
	path: string;
	sha256: string;
	/** Of what it was made of. */
	version: string;
}

const workPrefix = 'build-';

/** That in the cache, made when it is not there; of earlier ones nothing is kept. Throws `tool_failed` and `config_invalid`. */
export async function programArchive({
	cacheDirectory,
	signal,
}: {
	cacheDirectory: string;
	signal?: AbortSignal | undefined;
}): Promise<ProgramArchive> {
	const archives = join(cacheDirectory, 'program');
	const version = (await hashInputs()).slice(0, 16);
	const path = join(archives, `rouse-${version}.tar.gz`);
	if (!(await exists(path))) {
		await mkdir(archives, { recursive: true });
		const work = await mkdtemp(join(archives, workPrefix));
		try {
			const root = join(work, 'root');
			await copyProgram({ rouse: join(root, 'rouse'), node: join(root, 'node', 'bin', 'node') }, { signal });
			// As a checkout is whose owner is somebody else, or whose umask was.
			const as = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX', '--sort=name'];
			const pack = ['--use-compress-program=gzip -1', '-cf', join(work, 'archive'), '-C', root, 'rouse', 'node'];
			await runBuildTool('tar', [...as, ...pack], { signal });
			await sync(join(work, 'archive')); // a file of this name is whole
			for (const name of await namesIn(archives))
				if (!name.startsWith(workPrefix)) await rm(join(archives, name), { force: true });
			await rename(join(work, 'archive'), path);
		} finally {
			await rm(work, { recursive: true, force: true });
		}
	}
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return { path, sha256: hash.digest('hex'), version };
}

async function sync(path: string): Promise<void> {
	const file = await open(path);
	try {
		await file.sync();
	} finally {
		await file.close();
	}
}
