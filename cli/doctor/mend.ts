/** Carries out what a finding says can be mended without a person; each looks again, since time has passed. */
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import { RepositoryChildren } from '../../repository/access/children.ts';
import { isErrno, temporarySuffix } from '../../system/durable-file.ts';
import { processStartTicks } from '../../system/process-lock.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import type { Finding, Fix } from './finding.ts';

const endMs = 5_000;

export interface Mended {
	mended: boolean;
	/** Why not. */
	failure: ErrorDocument | null;
}

/** One that fails holds up no other. */
export async function mend(finding: Finding, installation: { cacheDirectory: string }): Promise<Mended> {
	if (finding.fix === undefined) return { mended: false, failure: null };
	try {
		await carryOut(finding.fix, installation);
		return { mended: true, failure: null };
	} catch (error) {
		return { mended: false, failure: asRouseError(error).toDocument() };
	}
}

async function carryOut(fix: Fix, installation: { cacheDirectory: string }): Promise<void> {
	switch (fix.do) {
		case 'remove-empty':
			for (const name of await readdir(fix.path))
				if (name.endsWith(temporarySuffix)) await rm(join(fix.path, name), { force: true });
			return rmdir(fix.path); // refuses when something else has come
		case 'remove-sockets':
			return removeSockets(fix.path);
		case 'remove-file':
			return rm(fix.path, { force: true });
		case 'end-holder':
			if (await endHolder(fix.lockPath, { politeMs: endMs })) return;
			throw new RouseError('timeout', `who holds ${fix.lockPath} does not end, not even by SIGKILL`);
		case 'end-process':
			return endProcess(fix.pid, fix.startTicks);
		case 'unpin': {
			const children = RepositoryChildren.of(installation);
			try {
				return await children.unpin(fix.repository, fix.recoveryId);
			} finally {
				void children.close();
			}
		}
	}
}

async function removeSockets(path: string): Promise<void> {
	if ((await readFile('/proc/net/unix', 'utf8')).includes(` ${path}/`))
		throw new RouseError('lock_held', `somebody listens in ${path} by now`);
	await rm(path, { recursive: true, force: true });
}

/** Its start says that it is still the same. */
async function endProcess(pid: number, startTicks: string): Promise<void> {
	const lives = async () => (await processStartTicks(pid)) === startTicks;
	for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
		if (!(await lives())) return;
		try {
			process.kill(pid, signal);
		} catch (error) {
			if (!isErrno(error, 'ESRCH')) throw error;
		}
		try {
			await waitFor(`pid ${pid} to end`, async () => !(await lives()), { timeoutMs: endMs });
			return;
		} catch (error) {
			if (signal === 'SIGKILL') throw error;
		}
	}
}
