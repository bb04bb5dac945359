import { asRouseError, RouseError } from '../../model/errors.ts';
import type { Reached } from '../../system/reached.ts';
import type { JobOrders } from '../../system/thread-jobs.ts';
import type { RangeSource } from '../chunk-source.ts';
import { isChunkDamage } from '../damage.ts';
import type { CopyAnswer, CopyJob } from './copy-job.ts';
import { WriteFailed, WrittenRuns } from './written-runs.ts';

/**
 * Does a job of `CopyThreads` (copy-threads.ts), in a thread. Only the normal case: chunks that do not match, that the source does
 * not have or that it cannot give now are left to who asked.
 */
export async function copyChunks(
	job: CopyJob,
	source: Pick<RangeSource, 'ranges'>,
	orders: JobOrders,
	reached: Reached = () => {},
): Promise<CopyAnswer> {
	const runs = new WrittenRuns(job, () => orders.stopped(), reached);
	let why: RouseError | undefined;
	try {
		try {
			let next = 0;
			for await (const { lengths, bytes } of source.ranges(job.refs, { class: 'migration', signal: orders.signal })) {
				let at = 0;
				for (const length of lengths) {
					const position = next++;
					const damage = added(runs, position, bytes.subarray(at, at + length));
					why ??= damage;
					at += length;
				}
			}
		} catch (error) {
			if (error instanceof WriteFailed) throw error;
			why ??= asRouseError(error);
		}
		runs.flush(); // what came before an error is good all the same
	} catch (error) {
		if (error instanceof WriteFailed) return { written: runs.written, writeError: error.found };
		throw error;
	} finally {
		runs.close();
	}
	return { written: runs.written, ...(why && { why: why.toDocument() }) };
}

/** Damage, of which the others know nothing. */
function added(runs: WrittenRuns, position: number, stored: Uint8Array): RouseError | undefined {
	try {
		runs.add(position, stored);
		return undefined;
	} catch (error) {
		if (isChunkDamage(error)) return error;
		throw error;
	}
}
