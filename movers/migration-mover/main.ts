/**
 * `node movers/migration-mover/main.ts CONFIG.json`: fills the targets of one recovery. Started by the supervisor under
 * a lock, and ended by it before the machine is switched to its targets (target.ts says why).
 */
import { RouseError } from '../../model/errors.ts';
import { CopyThreads, withoutThreadsBytes } from '../../repository/copy/copy-threads.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { systemClock } from '../../system/clock.ts';
import { createLog } from '../../system/log.ts';
import { createServer } from '../../system/node-http.ts';
import { reachedFromEnvironment } from '../../system/reached.ts';
import { listenOnSocket, serveJson } from '../../system/unix-http.ts';
import { giveBackAtRest } from '../at-rest.ts';
import { migrationMoverConfigSchema, rateOf, readMoverConfig } from '../config.ts';
import { isConfigured, leftAlone, Visitors } from '../left-alone.ts';
import { openRepositoryMover } from '../repository-mover/open-client.ts';
import { lowerPriority } from './lower-priority.ts';
import { Migration } from './migration.ts';
import { OfferServer } from './offers.ts';
import { freeBytesAt } from './room.ts';
import { TokenBucket } from './token-bucket.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';

setPrivateUmask();

await lowerPriority();
const [configPath] = process.argv.slice(2);
if (configPath === undefined) throw new RouseError('usage', 'migration mover: which configuration?');
const config = await readMoverConfig(configPath, migrationMoverConfigSchema);

const log = createLog('migration-mover').child({ recoveryId: config.recoveryId });
const source = new RetryingChunkSource(await openRepositoryMover(config), systemClock);
const bucket = new TokenBucket(0, systemClock);
const threads = new CopyThreads({ entry: new URL('copy-thread.ts', import.meta.url), setup: config });
const migration = new Migration(config.recoveryId, config.disks, {
	source,
	bucket,
	log,
	reached: reachedFromEnvironment(),
	freeBytes: freeBytesAt,
	threads: { threads, aboveBytes: config.threadsAboveBytes ?? withoutThreadsBytes },
});
await migration.open();

const offers = createServer(new OfferServer(migration).listener);
offers.keepAliveTimeout = 120_000;
await listenOnSocket(offers, config.offerSocket);

const control = await serveJson(config.controlSocket, async ({ method, path, body }) => {
	const call = `${method} /${path.join('/')}`;
	switch (call) {
		case 'GET /state':
			return migration.state();
		case 'POST /copy':
			bucket.setRate(rateOf(body));
			migration.copy();
			return migration.state();
		case 'POST /pause':
			await migration.pause();
			return migration.state();
		case 'POST /rate':
			bucket.setRate(rateOf(body));
			return migration.state();
		case 'POST /retry':
			await migration.retry();
			return migration.state();
		default:
			throw new RouseError('protocol', `${call} is not known here`);
	}
});
log.info({ disks: migration.state().disks }, 'serving');

process.once('SIGTERM', () => void end());
void endWhenLeftAlone(configPath);
void giveBackAtRest({ letGo: () => {}, clock: systemClock });

/** A copy goes on without anybody; but not into targets that were removed with their installation. */
async function endWhenLeftAlone(path: string): Promise<void> {
	const visitors = new Visitors();
	visitors.watch(control);
	visitors.watch(offers);
	await leftAlone({
		visited: () => visitors.came,
		needed: () => isConfigured(path),
		aloneMs: config.aloneMs,
		clock: systemClock,
	});
	log.info('nobody uses it any more');
	await end();
}

/** Records what is written; nothing would be wrong without it, only copied again. */
async function end(): Promise<void> {
	control.close();
	offers.close();
	await migration.close();
	await threads.close();
	await source.close();
	process.exit(0);
}
