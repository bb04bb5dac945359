import { RouseError } from '../../model/errors.ts';
import { countOf } from '../../movers/first-reads.ts';
import { loadConfig } from '../../system/installation.ts';
import { FirstReadsFiles } from '../files/first-reads.ts';
import type { StepAnswer } from '../protocol.ts';
import type { StepContext } from '../recovery/step-context.ts';

/**
 * Remembers what the machine of a drill has read until now. Done again it writes the same, since its mount mover has noted
 * nothing more. A mount mover that was started after its machine has not seen all of it: what was known before stays.
 */
export async function keepFirstReads({ recovery, host }: StepContext): Promise<StepAnswer<'keep-first-reads'>> {
	const { plan, chain } = recovery.state;
	if (plan?.drill === undefined) throw new RouseError('phase_wrong', `recovery ${recovery.name} is no drill`);
	const { installation, clock } = host;
	if (chain !== 'mover' || !(await loadConfig(installation)).host.firstReads) return { chunks: 0 };
	const reads = await recovery.equipment.mount.control.firstReads();
	if (reads === null || reads.length === 0) return { chunks: 0 };
	await new FirstReadsFiles(installation.home).write({
		version: 1,
		repository: plan.repository,
		machine: plan.machine,
		restorePoint: plan.restorePoint,
		disks: plan.disks.map(({ sizeBytes, chunkSizeBytes }) => ({ sizeBytes, chunkSizeBytes })),
		from: { drill: plan.drill.name, at: clock.date().toISOString() },
		reads,
	});
	await host.reached('first-reads-kept');
	return { chunks: countOf(reads) };
}
