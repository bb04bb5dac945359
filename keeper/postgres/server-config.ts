/**
 * What Temporal's server is told when its database is PostgreSQL, in its own form, of which JSON is a part:
 * https://docs.temporal.io/references/configuration. The command line of the embedded server (workers/temporal-server.ts) says
 * the same where it can.
 */
import { databaseSettings, devServerAddress } from '../../workers/temporal-server.ts';
import { databases, databaseUser } from './settings.ts';

export interface ServerPorts {
	frontend: number;
	history: number;
	matching: number;
	worker: number;
}

/** How it reaches its databases: all but their names. */
export interface DatabaseWay {
	connectAddr: string;
	connectAttributes?: Readonly<Record<string, string>>;
	tls?: object;
}

export interface ServerPlace {
	ports: ServerPorts;
	/** Who may call is decided by what is in front of it, or by `tls`. */
	bindOnIP: string;
	database: DatabaseWay;
	/** Can never be changed: how many parts the histories of one database are in. */
	historyShards: number;
	/** Where the file with {@link dynamicConfig} is. */
	dynamicConfig: string;
	tls?: object;
}

/** Of one installation, which has one process for all: its database is reached by a socket alone. */
export function localPlace(to: { ports: ServerPorts; sockets: string; dynamicConfig: string }): ServerPlace {
	return {
		ports: to.ports,
		bindOnIP: devServerAddress,
		// `host` counts; an address has to be there.
		database: { connectAddr: 'postgres:5432', connectAttributes: { host: to.sockets } },
		historyShards: 16,
		dynamicConfig: to.dynamicConfig,
	};
}

export function serverConfig({ ports, bindOnIP, database, historyShards, dynamicConfig: file, tls }: ServerPlace) {
	const store = (name: string) => ({
		sql: {
			pluginName: 'postgres12_pgx',
			databaseName: name,
			connectProtocol: 'tcp',
			...database,
			user: databaseUser,
			maxConns: 20,
			maxIdleConns: 20,
			maxConnLifetime: '1h',
		},
	});
	/** A service is found by the port of its membership, unless it is told where it is (tools/temporal/server). */
	const service = (grpcPort: number) => ({ rpc: { grpcPort, membershipPort: grpcPort - 300, bindOnIP } });
	const frontend = `${devServerAddress}:${ports.frontend}`;
	return {
		// Without it the server writes a line for every poll that ends, some megabytes a day.
		log: { stdout: true, level: 'warn', format: 'json' },
		persistence: {
			defaultStore: 'default',
			visibilityStore: 'visibility',
			numHistoryShards: historyShards,
			datastores: { default: store(databases.default), visibility: store(databases.visibility) },
		},
		global: {
			membership: { maxJoinDuration: '30s', broadcastAddress: devServerAddress },
			...(tls === undefined ? {} : { tls }),
		},
		services: {
			frontend: service(ports.frontend),
			history: service(ports.history),
			matching: service(ports.matching),
			worker: service(ports.worker),
		},
		clusterMetadata: {
			enableGlobalNamespace: false,
			failoverVersionIncrement: 10,
			masterClusterName: 'active',
			currentClusterName: 'active',
			clusterInformation: { active: { enabled: true, initialFailoverVersion: 1, rpcAddress: frontend } },
		},
		dcRedirectionPolicy: { policy: 'noop' },
		archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
		namespaceDefaults: { archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } } },
		publicClient: { hostPort: frontend },
		dynamicConfigClient: { filepath: file, pollInterval: '60s' },
	};
}

/** https://docs.temporal.io/temporal-service/configuration#dynamic-configuration */
export function dynamicConfig(): Record<string, [{ value: unknown }]> {
	return Object.fromEntries(databaseSettings().map(([key, value]) => [key, [{ value }]]));
}
