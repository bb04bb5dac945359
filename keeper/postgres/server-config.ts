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

/** Can never be changed: how many parts the histories of one database are in. A site has 512 (docker-compose.yml). */
const historyShards = 16;

export function serverConfig(to: { ports: ServerPorts; sockets: string; dynamicConfig: string }): object {
	const database = (name: string) => ({
		sql: {
			pluginName: 'postgres12_pgx',
			databaseName: name,
			// `host` counts; an address has to be there.
			connectAddr: 'postgres:5432',
			connectProtocol: 'tcp',
			connectAttributes: { host: to.sockets },
			user: databaseUser,
			maxConns: 20,
			maxIdleConns: 20,
			maxConnLifetime: '1h',
		},
	});
	const service = (port: number) => ({ rpc: { grpcPort: port, bindOnIP: devServerAddress } });
	const frontend = `${devServerAddress}:${to.ports.frontend}`;
	return {
		// Without it the server writes a line for every poll that ends, some megabytes a day.
		log: { stdout: true, level: 'warn', format: 'json' },
		persistence: {
			defaultStore: 'default',
			visibilityStore: 'visibility',
			numHistoryShards: historyShards,
			datastores: { default: database(databases.default), visibility: database(databases.visibility) },
		},
		global: { membership: { maxJoinDuration: '30s', broadcastAddress: devServerAddress } },
		services: {
			frontend: service(to.ports.frontend),
			history: service(to.ports.history),
			matching: service(to.ports.matching),
			worker: service(to.ports.worker),
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
		dynamicConfigClient: { filepath: to.dynamicConfig, pollInterval: '60s' },
	};
}

/** https://docs.temporal.io/temporal-service/configuration#dynamic-configuration */
export function dynamicConfig(): object {
	return Object.fromEntries(databaseSettings().map(([key, value]) => [key, [{ value }]]));
}
