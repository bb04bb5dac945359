import type { BatchFile } from '../../model/batch-file.ts';
import { asRouseError } from '../../model/errors.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { type Config, places, readIdentity } from '../../system/installation.ts';
import type { PoolHost } from '../requests.ts';

/** Names of the hosts that the file speaks of. */
function hostsNamed({ defaults, groups }: BatchFile): Set<string> {
	const written = [
		defaults.hosts,
		...groups.flatMap(({ hosts, machines }) => [
			hosts,
			...machines.map(entry => (typeof entry === 'string' ? undefined : entry.hosts)),
		]),
	];
	return new Set(written.flatMap(hosts => hosts ?? []));
}

export interface AskedHosts {
	/** Names of all hosts of the installation, its own first. */
	known: readonly [string, ...string[]];
	hosts: Map<string, PoolHost>;
}

/** The hosts that the file names and this installation's own, as they are. */
export async function askNamedHosts(
	file: BatchFile,
	{ config, home, ...asking }: Asking & { config: Config; home: string },
): Promise<AskedHosts> {
	const own = config.host.name;
	const known = [own, ...Object.keys(config.hosts)] as const;
	const elsewhere = Object.entries(config.hosts).map(([name, { id }]) => [name, id] as const);
	const ids = new Map([[own, await readIdentity(places.hostIdentity(home))], ...elsewhere]);
	const wanted = new Set([own, ...hostsNamed(file)]);
	return { known, hosts: await askHosts(ids, wanted, asking) };
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
async function askHosts(
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
