/** What an import has in a QEMU beside its bitmaps: jobs that keep what the guest overwrites, scratch nodes, exports, the NBD server. */
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { openSocket } from '../../system/open-socket.ts';
import { lookAtExports, lookAtJobs, lookAtNodes } from './look.ts';
import { isRefusal, type Monitor } from './monitor.ts';
import { diskName, isOf, type Owned } from './names.ts';
import type { Scratch, Taken } from './scratch.ts';

/** What is asked of QEMU here takes milliseconds, and longer only where its storage hangs. */
const endMs = 60_000;

/**
 * Whether each disk has its job and its export still. Without the job an export goes on, and gives what the disk holds by then.
 */
export async function isStanding(monitor: Monitor, owned: Owned, { disks }: Taken): Promise<boolean> {
	const jobs = new Set(
		(await lookAtJobs(monitor))
			.filter(({ error, status }) => isKeeping(status) && error === undefined)
			.map(({ id }) => id),
	);
	const exports = new Set((await lookAtExports(monitor)).filter(one => !one['shutting-down']).map(({ id }) => id));
	return disks.every((_disk, number) => {
		const name = diskName(owned, number);
		return jobs.has(name) && exports.has(name);
	});
}

/** JobStatus of qapi/job.json. */
function isKeeping(status: string): boolean {
	return status === 'running' || status === 'ready' || status === 'paused' || status === 'standby';
}

/** All of it; what is not there is passed over. Its files are left. */
export async function endMoment(monitor: Monitor, owned: Owned, scratches: readonly Scratch[]): Promise<void> {
	await endExports(monitor, owned);
	await endJobs(monitor, owned);
	// The nodes last: they tell where its directory is.
	for (const scratch of scratches) await stopServer(monitor, scratch);
	for (const { node } of await lookAtNodes(monitor)) if (isOf(owned, node)) await removeNode(monitor, node);
}

/** Where QEMU has its scratch files, whatever disks are attached, and whatever the address says, by now. */
export async function directoriesInUse(monitor: Monitor, owned: Owned): Promise<string[]> {
	return (await lookAtNodes(monitor)).flatMap(({ node, directory }) =>
		directory === undefined || !isOf(owned, node) ? [] : dirname(dirname(directory)),
	);
}

async function endExports(monitor: Monitor, owned: Owned): Promise<void> {
	const left = async () => (await lookAtExports(monitor)).filter(({ id }) => isOf(owned, id));
	for (const { id, 'shutting-down': isEnding } of await left())
		if (!isEnding)
			await orderUnless(monitor, 'block-export-del', { id, mode: 'hard' }, async () =>
				(await left()).every(one => one.id !== id || one['shutting-down']),
			);
	await waitFor('QEMU to end its exports', async () => (await left()).length === 0, { timeoutMs: endMs });
}

async function endJobs(monitor: Monitor, owned: Owned): Promise<void> {
	const left = async () => (await lookAtJobs(monitor)).filter(({ id }) => isOf(owned, id));
	for (const { id } of await left())
		await orderUnless(monitor, 'job-cancel', { id }, async () =>
			(await left()).every(one => one.id !== id || !isKeeping(one.status)),
		);
	await waitFor('QEMU to end its jobs', async () => (await left()).length === 0, { timeoutMs: endMs });
}

/** It is in use until the last connection to its export is closed. */
async function removeNode(monitor: Monitor, node: string): Promise<void> {
	let refusal: RouseError | undefined;
	await waitFor(
		'QEMU to let go of its scratch files',
		async () => {
			try {
				await monitor.order('blockdev-del', { 'node-name': node });
				return true;
			} catch (error) {
				if (!isRefusal(error)) throw error;
				refusal = error;
				return (await lookAtNodes(monitor)).every(one => one.node !== node);
			}
		},
		{ timeoutMs: endMs },
	).catch((error: unknown) => {
		if (refusal === undefined) throw error;
		throw new RouseError('source_busy', `somebody uses a scratch file of ours: ${refusal.message}`, { cause: refusal });
	});
}

/** QEMU has one NBD server, and does not say whose it is: ours is the one at our socket. */
async function stopServer(monitor: Monitor, scratch: Scratch): Promise<void> {
	if (!(await listens(scratch.socket))) return;
	await orderUnless(monitor, 'nbd-server-stop', {}, async () => !(await listens(scratch.socket)));
}

async function listens(path: string): Promise<boolean> {
	const socket = await openSocket(path).catch(() => undefined); // none
	if (socket === undefined) return false;
	try {
		return await new Promise<boolean>(resolve => {
			const connection = connect(socket.way);
			connection.once('connect', () => resolve(true));
			connection.once('error', () => resolve(false));
			connection.once('close', () => resolve(false));
			connection.once('connect', () => connection.destroy());
		});
	} finally {
		await socket.close();
	}
}

/** What another process of ours has done meanwhile is refused, and is done. */
async function orderUnless(
	monitor: Monitor,
	command: string,
	args: Record<string, unknown>,
	isDone: () => Promise<boolean>,
): Promise<void> {
	try {
		await monitor.order(command, args);
	} catch (error) {
		if (!isRefusal(error) || !(await isDone())) throw error;
	}
}
