import { serviceKeys, serviceName } from '../repository/service/service-keys.ts';
import type { Config, Installation } from '../system/installation.ts';
import { namespaceOf } from '../system/temporal-target.ts';

/** What a host elsewhere is told, besides the keys that `admitHost` makes for it (repository/service/service-keys.ts). */
export interface ServedAddresses {
	/** The name in the certificate of whatever is served: Temporal's client compares it. */
	serverName: string;
	/** Of the embedded server's door for hosts; absent: `serve.temporal` is not said. */
	temporal?: { address: string; namespace: string };
	/** By their names; movers know the service by the authority alone. */
	repositories: Record<string, { host: string; port: number }>;
}

/**
 * Where hosts elsewhere reach this installation, as `serve` of config.yaml says; undefined where it says nothing. A server
 * elsewhere is not in it: hosts are told of that what `temporal` says.
 */
export async function servedAddresses(
	installation: Pick<Installation, 'id' | 'home'>,
	{ serve }: Pick<Config, 'serve'>,
): Promise<ServedAddresses | undefined> {
	if (serve === undefined) return undefined;
	const { address: host, temporal, repositories } = serve;
	const serverName = await serviceName(await serviceKeys(installation.home));
	return {
		serverName,
		...(temporal === undefined
			? {}
			: { temporal: { address: withPort(host, temporal), namespace: namespaceOf(installation) } }),
		repositories: Object.fromEntries(Object.entries(repositories).map(([name, port]) => [name, { host, port }])),
	};
}

export function withPort(host: string, port: number): string {
	return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
