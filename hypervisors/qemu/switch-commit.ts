/** The part of the switch that ends with the guest on its targets alone: commit, pause, mark, finalize. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';
import { abortable } from './abortable.ts';
import { nodeNames } from './block-nodes.ts';
import { abandonJobs, dismissJobs, isHalfway, queryJobs, waitForJobs } from './jobs.ts';
import { disksOnOverlay, queryExports, queryStatus } from './monitor-queries.ts';
import { syncFile } from './overlay.ts';
import type { Qmp } from '../../qmp/client.ts';
import type { OnlineSwitch } from './online-switch.ts';

/**
 * Returns for how many milliseconds the guest stood still; 0 when it did not run. `signal` ends it until the pause: the
 * guest runs, and the jobs go on until the next attempt finds them. From the pause on it is carried through.
 */
export async function commitOverlays(online: OnlineSwitch, signal: AbortSignal | undefined): Promise<number> {
	const { definition, qmp, calls } = online;
	const found = performance.now();
	const onOverlay = await disksOnOverlay(qmp, definition);
	if (onOverlay.length > 0) await untilReady({ ...online, qmp: abortable(qmp, signal) }, onOverlay, signal);
	const pausedAt = onOverlay.length > 0 ? await pauseGuest(online) : found;
	if (onOverlay.length > 0) await pivot(online, onOverlay);
	await dismissJobs(qmp, jobsOf(definition));
	await calls.reached('switch.finalized');
	const continued = await continueGuest(online);
	const pauseMs = continued ? performance.now() - pausedAt : 0;
	await calls.reached('switch.continued');
	return pauseMs;
}

async function untilReady(online: OnlineSwitch, disks: number[], signal: AbortSignal | undefined): Promise<void> {
	const { qmp, calls } = online;
	const jobs = disks.map(index => nodeNames(index).commitJob);
	await recoverFromForeignHands(online, jobs);
	await startCommits(online, disks);
	await calls.reached('switch.committing');
	const wait = async () => {
		await waitForJobs(qmp, jobs, ['ready', 'waiting', 'pending']);
		await refuseExports(qmp); // before the pause as well: the guest is not to stand still for it
	};
	await orGoOn(online, jobs, wait, signal);
	await calls.reached('switch.ready');
	await letSettle(qmp);
	signal?.throwIfAborted();
}

function jobsOf(definition: MachineDefinition): string[] {
	return definition.disks.map((_disk, index) => nodeNames(index).commitJob);
}

/**
 * Only the supervisor may continue a guest that the switch has paused. Where somebody did, what was written since is on
 * the overlay alone: the commit is done again. And with the mark at `target` a guest on its overlay must not run at all.
 */
async function recoverFromForeignHands({ qmp, calls }: OnlineSwitch, jobs: readonly string[]): Promise<void> {
	const found = await queryJobs(qmp);
	const ours = jobs.flatMap(id => found.get(id) ?? []);
	const { running } = await queryStatus(qmp);
	if (running && calls.chain === 'target') {
		await calls.rememberResume(true);
		await qmp.execute('stop');
	}
	if (running && ours.some(isHalfway)) await abandonJobs(qmp, jobs);
	// What is left of an attempt whose commit failed or was abandoned.
	else
		await dismissJobs(
			qmp,
			ours.filter(endedJob).map(({ id }) => id),
		);
}

function endedJob({ status }: { status: string }): boolean {
	return status === 'concluded' || status === 'aborting';
}

async function startCommits({ qmp }: OnlineSwitch, disks: readonly number[]): Promise<void> {
	const found = await queryJobs(qmp);
	for (const index of disks) {
		const { commitJob, top, local } = nodeNames(index);
		if (found.has(commitJob)) continue;
		// Not dismissed by itself: a job that fails while no supervisor listens would vanish, and look like one that
		// never was. Not finalized by itself: the mark has to be durable first.
		await qmp.execute('block-commit', {
			'job-id': commitJob,
			device: top,
			'base-node': local,
			'auto-finalize': false,
			'auto-dismiss': false,
		});
	}
}

/**
 * When `act` fails the jobs go and the guest stays on its overlay over the target. One that this attempt or an earlier one
 * has paused goes on, but not with the mark at `target`: what it wrote to the overlay then would be lost.
 */
async function orGoOn(
	online: OnlineSwitch,
	jobs: readonly string[],
	act: () => Promise<void>,
	signal?: AbortSignal,
): Promise<void> {
	try {
		await act();
	} catch (error) {
		signal?.throwIfAborted();
		const { qmp, calls } = online;
		// Of a QEMU that is gone, or does not answer, nobody knows what it has done: the next attempt asks it.
		if (qmp.closed || asRouseError(error).code === 'hypervisor_stuck') throw error;
		await abandonJobs(qmp, jobs);
		if (calls.chain !== 'target') await continueGuest(online);
		throw error;
	}
}

/** What the guest wrote since `ready` is copied in the pause: a guest that writes hard is given some time to let up. */
const settledBytes = 4 * 1024 * 1024;
const settleMs = 5_000;

async function letSettle(qmp: Qmp): Promise<void> {
	const deadline = performance.now() + settleMs;
	while (performance.now() < deadline) {
		const left = [...(await queryJobs(qmp)).values()].reduce(
			(sum, job) => sum + job['total-progress'] - job['current-progress'],
			0,
		);
		if (left <= settledBytes) return;
		await qmp.waitForEvent(() => false, 50).catch(() => undefined);
	}
}

/** Remembers whether the guest runs, and pauses it. Returns when. */
async function pauseGuest({ qmp, calls }: OnlineSwitch): Promise<number> {
	const { running, status } = await queryStatus(qmp);
	if (running) await calls.rememberResume(true);
	// `paused` is what an earlier attempt's `stop` leaves behind; every other state is the guest's own, and is kept.
	else if (status !== 'paused' || calls.resume === undefined) await calls.rememberResume(false);
	const pausedAt = performance.now();
	if (running) await qmp.execute('stop');
	await calls.reached('switch.paused');
	return pausedAt;
}

async function pivot(online: OnlineSwitch, disks: readonly number[]): Promise<void> {
	const { definition, paths, qmp, calls } = online;
	const jobs = disks.map(index => nodeNames(index).commitJob);
	await orGoOn(online, jobs, () => completeJobs(qmp, jobs));
	await calls.reached('switch.pending');
	// QEMU wrote to the targets without a flush.
	await orGoOn(online, jobs, async () => {
		for (const disk of definition.disks) await syncFile(paths.target(disk));
	});
	await calls.reached('switch.synced');
	await orGoOn(online, jobs, () => checkNobodyWrites(qmp));
	// Overlay and target are equal and nobody writes: either mark would be true. When this throws, nobody knows which
	// one is durable, so the guest stays paused until a later attempt has made it `target`.
	if (calls.chain !== 'target') await calls.mark('target');
	await calls.reached('switch.marked-target');
	for (const id of jobs) await qmp.execute('job-finalize', { id });
	await waitForJobs(qmp, jobs, ['concluded']);
}

/** All jobs pending: overlay and target are equal. */
async function completeJobs(qmp: Qmp, jobs: readonly string[]): Promise<void> {
	const found = await queryJobs(qmp);
	for (const id of jobs) {
		const job = found.get(id);
		if (job && !isHalfway(job)) await qmp.execute('job-complete', { id });
	}
	await waitForJobs(qmp, jobs, ['pending']);
}

/** In `pending` a write is acknowledged and then lost (QEMU 7.2): by a guest that runs, or through an export. */
async function checkNobodyWrites(qmp: Qmp): Promise<void> {
	if ((await queryStatus(qmp)).running)
		throw new RouseError('hypervisor_failed', 'somebody continued the guest in the middle of the switch');
	await refuseExports(qmp);
}

async function refuseExports(qmp: Qmp): Promise<void> {
	const exports = await queryExports(qmp);
	if (exports.length > 0)
		throw new RouseError('precheck_failed', `the machine exports its disks (${exports.join(', ')})`, {
			hint: 'remove the exports through the monitor (block-export-del), then retry',
		});
}

async function continueGuest({ qmp, calls }: OnlineSwitch): Promise<boolean> {
	if (calls.resume !== true) return false;
	// Only what `stop` paused: a guest that has gone on and powered itself off since stays off.
	if ((await queryStatus(qmp)).status !== 'paused') return false;
	await qmp.execute('cont');
	return true;
}
