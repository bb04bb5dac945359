/** `node movers/mount-mover/main.ts CONFIG.json`: serves the disks of one recovery. Started by the supervisor. */
import { RouseError } from '../../model/errors.ts';
import { systemClock } from '../../system/clock.ts';
import { createLog } from '../../system/log.ts';
import { reachedFromEnvironment } from '../../system/reached.ts';
import { serveJson } from '../../system/unix-http.ts';
import { giveBackAtRest } from '../at-rest.ts';
import { failPendingSchema, mountMoverConfigSchema, readMoverConfig } from '../config.ts';
import { isConfigured, leftAlone, Visitors } from '../left-alone.ts';
import { openMountMover } from './mount-mover.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';

setPrivateUmask();

const [configPath] = process.argv.slice(2);
if (configPath === undefined) throw new RouseError('usage', 'mount mover: which configuration?');
const config = await readMoverConfig(configPath, mountMoverConfigSchema);
const log = createLog('mount-mover').child({ recoveryId: config.recoveryId });
const mover = await openMountMover(config, { log, reached: reachedFromEnvironment(), clock: systemClock });

// Before the disks: whoever reads must find somebody who can be told to fail what waits.
const control = await serveJson(config.controlSocket, async ({ method, path, body }) => {
	const call = `${method} /${path.join('/')}`;
	switch (call) {
		case 'GET /state':
			break;
		case 'GET /first-reads':
			return mover.firstReads();
		case 'POST /fail-pending':
			mover.failPending(forMsOf(body));
			break;
		case 'POST /serve':
			mover.serve();
			break;
		default:
			throw new RouseError('protocol', `${call} is not known here`);
	}
	return mover.state();
});
await mover.listen();
log.info({ nbdSocket: config.nbdSocket }, 'serving');

process.once('SIGTERM', () => void end());
void endWhenLeftAlone(configPath);
void giveBackAtRest({ letGo: () => mover.letGo(), clock: systemClock });

/** A machine that runs is connected; one that does not is started by a supervisor, which looks in before. */
async function endWhenLeftAlone(path: string): Promise<void> {
	const visitors = new Visitors();
	visitors.watch(control);
	await leftAlone({
		visited: () => visitors.came || mover.attended,
		needed: () => isConfigured(path),
		aloneMs: config.aloneMs,
		clock: systemClock,
	});
	log.info('nobody uses it any more');
	await end();
}

async function end(): Promise<void> {
	control.close();
	await mover.close();
	process.exit(0);
}

function forMsOf(body: unknown): number {
	const result = failPendingSchema.safeParse(body);
	if (!result.success) throw new RouseError('protocol', 'fail-pending takes {"forMs": 0 to 600000}');
	return result.data.forMs;
}
