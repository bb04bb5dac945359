import type { BatchFile } from '../../model/batch-file.ts';
import { asRouseError } from '../../model/errors.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import type { BatchHost } from './expand.ts';

/** Names of the hosts that the file speaks of. */
export function hostsNamed({ defaults, groups }: BatchFile): Set<string> {
	const written = [
		defaults.hosts,
		...groups.flatMap(({ hosts, machines }) => [
			hosts,
			...machines.map(entry => (typeof entry === 'string' ? undefined : entry.hosts)),
		]),
	];
	return new Set(written.flatMap(hosts => hosts ?? []));
}

/**
 * Asks those of `ids` that are `wanted`, all at once. One that does not answer may be back when its turn comes, so that
 * is no error but a warning: nothing of what it has was looked at.
 */
export async function askHosts(
	ids: ReadonlyMap<string, string>,
	wanted: ReadonlySet<string>,
	{
		ask,
		onWarning,
	}: { ask: (host: string, hostId: string) => Promise<HostView>; onWarning: (warning: string) => void },
): Promise<Map<string, BatchHost>> {
	const asked = [...ids].filter(([host]) => wanted.has(host));
	const answers = await Promise.allSettled(asked.map(([host, hostId]) => ask(host, hostId)));
	const hosts = new Map<string, BatchHost>();
	for (const [at, [host, hostId]] of asked.entries()) {
		const answer = answers[at];
		const view = answer?.status === 'fulfilled' ? answer.value : null;
		if (answer?.status === 'rejected')
			onWarning(`host ${host} does not answer, what it has was not looked at: ${asRouseError(answer.reason).message}`);
		hosts.set(host, { place: { host, hostId }, view });
	}
	return hosts;
}
