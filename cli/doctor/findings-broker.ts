/** Findings about the broker: that it does not go on, and what it waits for that does not come by itself. */
import { shortIdOf } from '../../model/broker.ts';
import type { BrokerView, LackView } from '../../model/broker-view.ts';
import { formatDuration } from '../terminal/format.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';

/** A broker that was started anew waits two minutes for hosts that are silent: workflows/broker/times.ts. */
const rebuildingMs = 5 * 60_000;
/** Hosts are asked once a minute. */
const orphanedMs = 5 * 60_000;
/** A host reports once a minute. */
const unmetMs = 5 * 60_000;

export function brokerFindings({ broker }: Facts): Finding[] {
	if (broker === undefined) return [];
	if ('failedTasks' in broker)
		return [
			{
				code: 'broker_stuck',
				subject: 'broker',
				explanation: `the broker's workflow task has failed ${broker.failedTasks} times: nothing is granted`,
				command:
					'why is in services/control-worker.log; after an upgrade that was taken back: start the newer version again',
			},
		];
	return [...rebuildingFindings(broker), ...orphanFindings(broker), ...unmetFindings(broker)];
}

function rebuildingFindings({ rebuilding, atMs }: BrokerView): Finding[] {
	if (!rebuilding || atMs - rebuilding.sinceMs < rebuildingMs) return [];
	return [
		{
			code: 'broker_rebuilding',
			subject: 'broker',
			explanation: `the broker was started anew ${formatDuration(atMs - rebuilding.sinceMs)} ago and has not heard yet what open recoveries and imports hold: nothing is granted`,
			command: 'why is in services/control-worker.log',
		},
	];
}

function orphanFindings({ leases, atMs }: BrokerView): Finding[] {
	return leases
		.filter(lease => lease.orphanedMs !== null && atMs - lease.orphanedMs >= orphanedMs)
		.map(({ requestId, host }) => ({
			code: 'lease_orphaned',
			subject: requestId,
			explanation: `${shortIdOf(requestId)} is held for a recovery that is gone, until ${host} says that nothing of it runs`,
			command: `start the services of ${host}; if it is gone for good: rouse broker release ${requestId} --reason TEXT --confirm ${requestId}`,
		}));
}

/** Of each resource once, however many wait for it. */
function unmetFindings({ waiting, atMs, rebuilding }: BrokerView): Finding[] {
	if (rebuilding) return [];
	const unmet = new Map<string, { lack: LackView; who: string[] }>();
	for (const { requestId, sinceMs, lacks, estimatedStartMs } of waiting) {
		if (estimatedStartMs !== null || atMs - sinceMs < unmetMs) continue;
		for (const lack of lacks.filter(({ why }) => why !== 'held' && why !== 'reserved')) {
			const who = unmet.get(lack.resource)?.who ?? [];
			unmet.set(lack.resource, { lack, who: [...who, shortIdOf(requestId)] });
		}
	}
	return [...unmet].map(([resource, { lack, who }]) => {
		const others = who.length > 1 ? ` and ${who.length - 1} more` : '';
		const { what, command } = missing(lack, resource.split('/').slice(0, 2).join('/'));
		return {
			code: 'resource_unmet',
			subject: resource,
			explanation: `${who[0]}${others} cannot start: ${lack.wanted} ${resource}, ${what}`,
			command,
		};
	});
}

function missing({ why, resource, capacity, reduced }: LackView, reporter: string): { what: string; command: string } {
	const set = `rouse broker set ${resource} NUMBER`;
	if (why === 'away') return { what: `and ${reporter} is away`, command: `start the services of ${reporter}` };
	if (why === 'unknown')
		return {
			what: 'of which nobody says how much there is',
			command: `start the services of ${reporter}, or: ${set}`,
		};
	if (reduced !== undefined)
		return { what: reduced, command: `make its datastore faster or its limit higher, or: ${set}` };
	return { what: `of which there is ${capacity}`, command: `free some of it, or: ${set}` };
}
