/** The backup job of a domain, of which libvirt lets it have one: https://libvirt.org/formatbackup.html */
import { basename, dirname } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { objectName, type Owned } from '../qemu/names.ts';
import { isRefusal, type Virsh } from './virsh.ts';
import { attribute, documentOf, elementAt } from './xml.ts';

/** Jobs begin and end within milliseconds, and later only where storage hangs. */
const settleMs = 60_000;

/** Where its disks are handed out; that is all that tells whose it is. */
export interface BackupJob {
	/** Undefined for one that is no pull, or not at a Unix socket: it is not ours. */
	socket: string | undefined;
}

/** Undefined when there is none. Waits while one is just beginning: a program of ours may have outlived the process that has started it. */
export async function backupJob(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<BackupJob | undefined> {
	let job: BackupJob | undefined;
	await waitFor(
		'libvirt to say which backup it has begun',
		async () => {
			job = await toldJob(virsh, uuid, signal);
			return job !== undefined || (await jobText(virsh, uuid, signal)) !== 'Backup';
		},
		{ timeoutMs: settleMs },
	);
	return job;
}

async function toldJob(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<BackupJob | undefined> {
	try {
		return jobIn(await virsh('backup-dumpxml', ['--domain', uuid], { signal }));
	} catch (error) {
		// Whatever its words: they are in the language that libvirtd was started in. Whether there is one says the job's kind, which is virsh's own word.
		if (isRefusal(error)) return undefined;
		throw error;
	}
}

export function jobIn(text: string): BackupJob {
	return { socket: attribute(elementAt(documentOf(text), 'server'), 'socket') };
}

/** What is being done with the domain as a whole, by libvirt's word; undefined when nothing is. */
async function jobText(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<string | undefined> {
	try {
		return operationIn(await virsh('domjobinfo', ['--domain', uuid], { signal }));
	} catch (error) {
		if (isRefusal(error) && /job data missing/i.test(error.message)) return lostJob;
		throw error;
	}
}

const lostJob = 'a backup that it knows nothing of';

/** Throws `source_busy` when something is, which would be waited for in vain. */
export async function mustBeFree(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<void> {
	const work = await jobText(virsh, uuid, signal);
	if (work === undefined) return;
	throw new RouseError('source_busy', `libvirt is at work on this machine: ${work}`, {
		hint:
			work === lostJob
				? 'seen with libvirt 9.0 after libvirtd was killed while it began a backup: power the machine off, restart libvirtd, and start the machine'
				: 'wait until it has ended; virsh domjobinfo tells of it',
	});
}

export function operationIn(text: string): string | undefined {
	const [, type = ''] = /^Job type:\s*(\S+)/m.exec(text) ?? [];
	if (type === 'None') return undefined;
	return /^Operation:\s*(.+?)\s*$/m.exec(text)?.[1] ?? 'something';
}

export function isJobOf(owned: Owned, job: BackupJob | undefined): boolean {
	const { socket } = job ?? {};
	return socket !== undefined && basename(dirname(dirname(socket))) === objectName(owned);
}

/** In which an import of ours has its scratch, whoever's it is; undefined for somebody else's job. */
export function directoryOfJob(job: BackupJob | undefined): string | undefined {
	const { socket } = job ?? {};
	const scratch = dirname(dirname(socket ?? ''));
	return /^rouse-[0-9a-f]{16}$/.test(basename(scratch)) ? dirname(scratch) : undefined;
}

/**
 * Ends the job of an import, if it is that: exports, jobs and QEMU's NBD server with it. Its files are left. libvirt ends whatever is there,
 * so what is there is looked at right before.
 */
export async function endJob(virsh: Virsh, uuid: string, owned: Owned, signal: AbortSignal): Promise<void> {
	const isThere = async () => isJobOf(owned, await backupJob(virsh, uuid, signal));
	if (!(await isThere())) return;
	try {
		await virsh('domjobabort', ['--domain', uuid], { signal });
	} catch (error) {
		if (!isRefusal(error) || (await isThere())) throw error;
	}
	await waitFor('libvirt to end the backup', async () => !(await isThere()), { timeoutMs: settleMs });
}
