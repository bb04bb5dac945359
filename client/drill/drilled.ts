import type { MachineFindings } from '../../model/drill-report.ts';
import { RouseError } from '../../model/errors.ts';
import type { TemporalClient } from '../connection.ts';
import { RecoveryWorkflows } from '../workflows.ts';

/** How a machine of a drill came up, and where; `hostId` is null of one that has no place. */
interface Found extends Pick<MachineFindings, 'host' | 'startMs' | 'bootMs' | 'readyMs'> {
	hostId: string | null;
}

/** As the memo of its recovery says. */
export async function findDrilled(
	temporal: TemporalClient,
	{ drill, name, recoveryId }: { drill: string; name: string; recoveryId: string },
): Promise<Found> {
	const found = await new RecoveryWorkflows(temporal).find(name);
	if (found?.recoveryId !== recoveryId || found.request?.drill?.name !== drill)
		throw new RouseError('identity_conflict', `${name} is no recovery of the drill ${drill}`);
	const { request, status } = found;
	const host = status?.host ?? null;
	const { requestedAt, runningAt, readyAt } = status?.timings ?? {};
	return {
		host,
		hostId: host === null ? null : (hostIdOf(request, host) ?? null),
		startMs: between(requestedAt, runningAt),
		bootMs: between(runningAt, readyAt),
		readyMs: between(requestedAt, readyAt),
	};
}

type Request = NonNullable<Awaited<ReturnType<RecoveryWorkflows['find']>>>['request'];

function hostIdOf(request: Request, name: string): string | undefined {
	const place = request?.pool?.find(({ host }) => host === name);
	return place?.hostId ?? request?.hostId;
}

function between(from: string | undefined, to: string | undefined): number | null {
	return from === undefined || to === undefined ? null : Math.max(0, Date.parse(to) - Date.parse(from));
}
