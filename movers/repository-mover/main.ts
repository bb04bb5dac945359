/** `node movers/repository-mover/main.ts CONFIG.json`: chunks of one repository, for movers on its host. */
import { createServer } from 'node:net';
import { RouseError } from '../../model/errors.ts';
import { systemClock } from '../../system/clock.ts';
import { createLog } from '../../system/log.ts';
import { heldRecoveryLocks } from '../../system/recovery-locks.ts';
import { listenOnSocket, serveJson } from '../../system/unix-http.ts';
import { giveBackAtRest } from '../at-rest.ts';
import { rateOf, readMoverConfig, type RepositoryMoverState, repositoryMoverConfigSchema } from '../config.ts';
import { leftAlone, Visitors } from '../left-alone.ts';
import { LateRepository } from './late-repository.ts';
import { ChunkServer } from './serve-chunks.ts';
import { SharedRate } from './shared-rate.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';

setPrivateUmask();

const [configPath] = process.argv.slice(2);
if (configPath === undefined) throw new RouseError('usage', 'repository mover: which configuration?');
const config = await readMoverConfig(configPath, repositoryMoverConfigSchema);

const log = createLog('repository-mover').child({ repository: config.repository });
const repository = new LateRepository(config.repository, err => log.warn({ err }, 'the repository cannot be opened'));
const rate = new SharedRate(systemClock);
const chunks = new ChunkServer(async () => (await repository.open()).source, { clock: systemClock, rate });
const chunkServer = createServer(chunks.connected);
await listenOnSocket(chunkServer, config.chunkSocket);
const controlServer = await serveJson(
	config.controlSocket,
	async ({ method, path, body }): Promise<RepositoryMoverState> => {
		const call = `${method} /${path.join('/')}`;
		if (call === 'POST /rate') rate.setRate(rateOf(body));
		else if (call !== 'GET /state') throw new RouseError('protocol', `${call} is not known here`);
		const { active, served } = chunks;
		return { repository: config.repository, active, served, maxRateBytes: rate.rate, failure: repository.failure };
	},
);
const visitors = new Visitors();
visitors.watch(chunkServer);
visitors.watch(controlServer);
log.info('serving');
void giveBackAtRest({ letGo: () => repository.letGo(), clock: systemClock });
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
