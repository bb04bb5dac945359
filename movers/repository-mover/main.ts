/** `node movers/repository-mover/main.ts CONFIG.json`: chunks of one repository, for movers on its host. */
import { createServer } from 'node:http';
import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { openRepository } from '../../repository/repository.ts';
import { systemClock } from '../../system/clock.ts';
import { createLog } from '../../system/log.ts';
import { heldRecoveryLocks } from '../../system/recovery-locks.ts';
import { listenOnSocket, serveJson } from '../../system/unix-http.ts';
import { readMoverConfig, type RepositoryMoverState, repositoryMoverConfigSchema } from '../config.ts';
import { leftAlone, Visitors } from '../left-alone.ts';
import { ChunkServer } from './serve-chunks.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';

setPrivateUmask();

const [configPath] = process.argv.slice(2);
if (configPath === undefined) throw new RouseError('usage', 'repository mover: which configuration?');
const config = await readMoverConfig(configPath, repositoryMoverConfigSchema);

const log = createLog('repository-mover').child({ repository: config.repository });
let opened: Promise<ChunkSource> | undefined;
let failure: ErrorDocument | null = null;

/**
 * The repository is opened at the first request and again after a failure: its file system may be mounted later than
 * this process starts. Every failure is `store_unreachable` to those who ask, since only waiting is right for a guest;
 * the reason is in the message and in the state.
 */
function source(): Promise<ChunkSource> {
	opened ??= openRepository(config.repository).then(
		({ store }) => {
			failure = null;
			return new DirectChunkSource(store);
		},
		(cause: unknown) => {
			opened = undefined;
			const error = asRouseError(cause);
			// Once a reason: whoever waits for it asks again and again.
			if (failure?.message !== error.message) log.warn({ err: error }, 'the repository cannot be opened');
			failure = error.toDocument();
			throw new RouseError('store_unreachable', error.message, { cause, hint: error.hint });
		},
	);
	return opened;
}

const chunks = new ChunkServer(source, systemClock);
const chunkServer = createServer(chunks.listener);
// Movers keep connections for bursts that may be minutes apart; a closed one costs the next read a round trip.
chunkServer.keepAliveTimeout = 120_000;
await listenOnSocket(chunkServer, config.chunkSocket);
const controlServer = await serveJson(config.controlSocket, async ({ method, path }): Promise<RepositoryMoverState> => {
	if (method !== 'GET' || path.join('/') !== 'state')
		throw new RouseError('protocol', `${method} /${path.join('/')} is not known here`);
	return { repository: config.repository, active: chunks.active, served: chunks.served, failure };
});
const visitors = new Visitors();
visitors.watch(chunkServer);
visitors.watch(controlServer);
log.info('serving');
process.once('SIGTERM', () => process.exit(0)); // stateless: whoever waits asks the next one

// Not by connections alone: a guest that has read nothing for minutes has none, and without a supervisor no other
// repository mover would be started for its next read.
await leftAlone({
	visited: () => visitors.came,
	needed: async () => (await heldRecoveryLocks(config.recoveries)).some(({ of }) => of === 'mover'),
	aloneMs: config.aloneMs,
	clock: systemClock,
});
log.info('nobody uses it any more');
chunkServer.close();
controlServer.close();
process.exit(0);
