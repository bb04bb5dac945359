import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { spaceOrIo } from './overlay.ts';
import { type Qmp, query } from '../../qmp/client.ts';

/** JobStatus of qapi/job.json. */
const statuses = [
	'undefined',
	'created',
	'running',
	'paused',
	'ready',
	'standby',
	'waiting',
	'pending',
	'aborting',
	'concluded',
	'null',
] as const;
export type JobStatus = (typeof statuses)[number];

const jobsSchema = z.array(
	z.object({
		id: z.string(),
		status: z.enum(statuses),
		'current-progress': z.int(),
		'total-progress': z.int(),
		error: z.string().optional(),
	}),
);
export type Job = z.infer<typeof jobsSchema>[number];

export async function queryJobs(qmp: Qmp): Promise<Map<string, Job>> {
	return new Map((await query(qmp, 'query-jobs', jobsSchema)).map(job => [job.id, job]));
}

/** Between `job-complete` and `job-finalize`: what is written to the overlay now is not copied any more. */
export function isHalfway(job: Job): boolean {
	return job.status === 'waiting' || job.status === 'pending';
}

/** A job that moved no byte for that long hangs on its storage. */
const stuckMs = 60_000;

/**
 * Waits until every job has one of the `wanted` states, for as long as they move. Throws `space_short` or `io_failed`
 * when one fails, `hypervisor_stuck` when nothing moves for a minute.
 */
export async function waitForJobs(qmp: Qmp, ids: readonly string[], wanted: readonly JobStatus[]): Promise<void> {
	let progress = -1;
	let movedAt = performance.now();
	for (;;) {
		const change = nextChange(qmp);
		const jobs = await queryJobs(qmp);
		const found = ids.map(id => wantedOrFailed(jobs.get(id), id, wanted));
		if (found.every(Boolean)) return;
		const now = [...jobs.values()].reduce((sum, job) => sum + job['current-progress'], 0);
		if (now !== progress) movedAt = performance.now();
		progress = now;
		if (performance.now() - movedAt > stuckMs)
			throw new RouseError('hypervisor_stuck', `${ids.join(', ')}: no byte in ${stuckMs} ms, ${progress} done`);
		await change;
	}
}

function wantedOrFailed(job: Job | undefined, id: string, wanted: readonly JobStatus[]): boolean {
	if (job === undefined) throw new RouseError('hypervisor_failed', `job ${id} is gone: somebody dismissed it`);
	// Some states last only until the next turn of QEMU's loop; `concluded` is where every failure ends.
	if (job.error !== undefined)
		throw new RouseError(spaceOrIo(job.error), `commit of the overlay (${id}): ${job.error}`);
	if (wanted.includes(job.status)) return true;
	if (job.status === 'concluded') throw new RouseError('hypervisor_failed', `job ${id} was cancelled by somebody`);
	return false;
}

/**
 * Asked for before the look, so that no change falls between the two; the limit makes a lost event harmless. Why it ended
 * does not matter: the next look finds out.
 */
async function nextChange(qmp: Qmp): Promise<void> {
	await qmp.waitForEvent(({ event }) => event === 'JOB_STATUS_CHANGE', 200).catch(() => undefined);
}

/** Ends jobs without their effect; the guest stays on its overlay. */
export async function abandonJobs(qmp: Qmp, ids: readonly string[]): Promise<void> {
	for (const id of ids) {
		const job = (await queryJobs(qmp)).get(id);
		if (job === undefined) continue;
		if (job.status !== 'concluded' && job.status !== 'aborting') await qmp.execute('job-cancel', { id });
	}
	await dismissJobs(qmp, ids);
}

/** Waits for the end of jobs that are ending, and forgets them. */
export async function dismissJobs(qmp: Qmp, ids: readonly string[]): Promise<void> {
	const deadline = performance.now() + stuckMs;
	for (;;) {
		const change = nextChange(qmp);
		const jobs = await queryJobs(qmp);
		const left = ids.flatMap(id => jobs.get(id) ?? []);
		for (const job of left) if (job.status === 'concluded') await qmp.execute('job-dismiss', { id: job.id });
		if (left.every(job => job.status === 'concluded')) return;
		if (performance.now() > deadline)
			throw new RouseError('hypervisor_stuck', `${ids.join(', ')}: not ended within ${stuckMs} ms`);
		await change;
	}
}
