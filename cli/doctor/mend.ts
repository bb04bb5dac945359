/** Carries out what a finding says can be mended without a person; each looks again, since time has passed. */
import { readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import { RepositoryChildren } from '../../repository/access/children.ts';
import { Grants } from '../../repository/service/grants.ts';
import { unpinGranted } from '../../repository/service/unpin-granted.ts';
import { isErrno, temporarySuffix } from '../../system/durable-file.ts';
import { processStartTicks } from '../../system/process-lock.ts';
import { removeTap, tapsOnHost } from '../../system/taps.ts';
import { waitFor } from '../../system/wait.ts';
import { type Finding, type Fix, settledMs } from './finding.ts';

const endMs = 5_000;

export interface Mended {
	mended: boolean;
	/** Why not. */
	failure: ErrorDocument | null;
}

/** One that fails holds up no other. */
export async function mend(finding: Finding, installation: { home: string; cacheDirectory: string }): Promise<Mended> {
	if (finding.fix === undefined) return { mended: false, failure: null };
	try {
		await carryOut(finding.fix, installation);
		return { mended: true, failure: null };
	} catch (error) {
		return { mended: false, failure: asRouseError(error).toDocument() };
	}
}

async function carryOut(fix: Fix, installation: { home: string; cacheDirectory: string }): Promise<void> {
	switch (fix.do) {
		case 'remove-empty':
			return removeEmpty(fix.path);
		case 'remove-sockets':
			return removeSockets(fix.path);
		case 'remove-file':
			return rm(fix.path, { force: true });
		case 'remove-tap':
			return removeUnusedTap(fix.name, fix.directory);
		case 'end-process':
			return endProcess(fix.pid, fix.startTicks);
		case 'end-grant':
			return endGrant(installation.home, fix.recoveryId);
		case 'unpin': {
			const children = RepositoryChildren.of(installation);
			try {
				const granting = { grants: new Grants(installation.home), access: children };
				return await unpinGranted(granting, fix.repository, fix.recoveryId);
			} finally {
				void children.close();
			}
		}
	}
}

/** One that was given anew since is of a recovery that was taken up. */
async function endGrant(home: string, recoveryId: string): Promise<void> {
	const grants = new Grants(home);
	const held = (await grants.list()).find(({ grant }) => grant.recoveryId === recoveryId);
	if (held === undefined) return;
	if (held.ageMs < settledMs)
		throw new RouseError('lock_held', `recovery ${recoveryId} was granted its restore point anew`);
	await grants.end(recoveryId);
	await grants.forget(recoveryId);
}

async function removeSockets(path: string): Promise<void> {
	if ((await readFile('/proc/net/unix', 'utf8')).includes(` ${path}/`))
		throw new RouseError('lock_held', `somebody listens in ${path} by now`);
	const entries = await readdir(path, { withFileTypes: true });
	const other = entries.find(entry => !entry.isSocket());
	if (other) throw new RouseError('identity_conflict', `${path} holds ${other.name}, which is no socket`);
	for (const { name } of entries) await rm(join(path, name), { force: true });
	await rmdir(path);
}

async function removeUnusedTap(name: string, directory: string): Promise<void> {
	if ((await tapsOnHost()).some(tap => tap.name === name && tap.used))
		throw new RouseError('lock_held', `a machine has ${name} open by now`);
	await removeTap(name, directory);
}

/** A supervisor may have come to it since: what it is writing is young, and stays. */
async function removeEmpty(path: string): Promise<void> {
	const names = await readdir(path);
	for (const name of names) {
		const { mtimeMs } = await stat(join(path, name));
		if (!name.endsWith(temporarySuffix) || Date.now() - mtimeMs < settledMs)
			throw new RouseError('identity_conflict', `${path} holds ${name} by now`);
	}
	for (const name of names) await rm(join(path, name), { force: true });
	await rmdir(path); // refuses when something else has come
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
