/** What is known of what a machine reads first, for its mount mover. */
import { asRouseError } from '../../model/errors.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import type { KnownReads } from '../../movers/first-reads.ts';
import { type Installation, loadConfig } from '../../system/installation.ts';
import type { Log } from '../../system/log.ts';
import { FirstReadsFiles, type FirstReadsFile } from '../files/first-reads.ts';
import type { IncidentLog } from '../files/incident-log.ts';
import type { RecoveryState } from '../files/state.ts';
import type { FirstReadsAtStart } from './movers.ts';

interface Of {
	name: string;
	state: RecoveryState;
	incidents: Pick<IncidentLog, 'add'>;
}

/** Never an error: a machine that has to come back does so without it. What stands in the way is in the incidents. */
export async function firstReadsAtStart(
	{ installation, log }: { installation: Installation; log: Log },
	{ name, state, incidents }: Of,
): Promise<FirstReadsAtStart> {
	try {
		if (!(await loadConfig(installation)).host.firstReads || state.plan === null) return { recordsFirstReads: false };
		const { plan, powerOnScheduled } = state;
		const file = await new FirstReadsFiles(installation.home).read(plan.repository, plan.machine);
		const other = file && differenceOf(file, plan);
		if (other !== undefined) await incidents.add(ignored, `${reasonOf(file)}: ${other}`);
		const known = file && other === undefined ? { firstReads: knownReadsOf(file) } : {};
		return { recordsFirstReads: !powerOnScheduled, ...known };
	} catch (error) {
		const { message } = asRouseError(error);
		log.warn({ err: error, recovery: name }, 'what the machine reads first is not known');
		await incidents
			.add(ignored, `nothing is fetched first: ${message}`)
			.catch((failed: unknown) => log.error({ err: failed, recovery: name }, 'an incident cannot be written'));
		return { recordsFirstReads: !state.powerOnScheduled };
	}
}

const ignored = 'first_reads_ignored';

function reasonOf(file: FirstReadsFile | undefined): string {
	return `what was read first in drill ${file?.from.drill} is not fetched first`;
}

function knownReadsOf({ from, reads }: FirstReadsFile): KnownReads {
	return { from, reads };
}

/** Places mean the same only in disks of the same size and chunks; undefined when they do. */
function differenceOf(file: FirstReadsFile, plan: RecoveryPlan): string | undefined {
	if (file.repository !== plan.repository || file.machine !== plan.machine)
		return `it is of ${file.machine} in ${file.repository}`;
	const had = file.disks.map(shapeOf).join(', ');
	const has = plan.disks.map(shapeOf).join(', ');
	return had === has ? undefined : `its disks had ${had}, and have ${has}`;
}

function shapeOf({ sizeBytes, chunkSizeBytes }: FirstReadsFile['disks'][number]): string {
	return `${sizeBytes} bytes in chunks of ${chunkSizeBytes}`;
}
