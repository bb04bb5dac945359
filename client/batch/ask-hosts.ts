import type { BatchFile } from '../../model/batch-file.ts';
import { asRouseError } from '../../model/errors.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import type { PoolHost } from '../requests.ts';

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

interface Asking {
	/** `hostId`: undefined of one that has not told it yet. */
	ask: (host: string, hostId: string | undefined) => Promise<HostView>;
	onWarning: (warning: string) => void;
}

/**
 * Asks those of `ids` that are `wanted`, all at once. One that does not answer may be back when its turn comes, so that
 * is no error but a warning: nothing of what it has was looked at. Without its id it is one.
 */
export async function askHosts(
	ids: ReadonlyMap<string, string | undefined>,
	wanted: ReadonlySet<string>,
	{ ask, onWarning }: Asking,
): Promise<Map<string, PoolHost>> {
	const asked = [...ids].filter(([host]) => wanted.has(host));
	const answers = await Promise.all(
		asked.map(async ([host, known]) => {
			try {
				return await ask(host, known);
			} catch (error) {
				if (known === undefined) throw error;
				onWarning(`host ${host} does not answer, what it has was not looked at: ${asRouseError(error).message}`);
				return null;
			}
		}),
	);
	const hosts = new Map<string, PoolHost>();
	for (const [at, [host, known]] of asked.entries()) {
		const view = answers[at] ?? null;
		const hostId = view?.hostId ?? known;
		if (hostId !== undefined) hosts.set(host, { place: { host, hostId }, view });
	}
	return hosts;
}
