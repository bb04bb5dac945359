/** How many recoveries of a batch its hosts have room for. Pure. */
import type { BrokerView } from '../../model/broker-view.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import type { Places } from './play-through.ts';

const resourceOf = /^host\/([^/]+)\/recoveries$/;

/** What the broker counts, less what others hold: those of the batch keep theirs. */
export function placesOf(
	{ resources, leases }: Pick<BrokerView, 'resources' | 'leases'>,
	names: readonly string[],
): Places {
	const own = new Set(names.map(recoveryWorkflowId));
	const places = new Map<string, number>();
	for (const { resource, capacity, held } of resources) {
		const [, host] = resourceOf.exec(resource) ?? [];
		if (host === undefined || capacity === null) continue;
		const ownHeld = leases.filter(
			lease => lease.host === host && isRun(lease.requestId) && own.has(lease.holder.workflowId),
		);
		places.set(host, Math.max(0, capacity - held + ownHeld.length));
	}
	return places;
}

/** What holds a place: its step is `run`, `run-2`, … */
function isRun(requestId: string): boolean {
	return /\/run(-\d+)?$/.test(requestId);
}
