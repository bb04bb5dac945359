/** `node supervisor/main.ts`, under flock(1) on services/supervisor.lock: the supervisor of the installation ROUSE_HOME. */
import { existsSync } from 'node:fs';
import { asRouseError } from '../model/errors.ts';
import { RepositoryChildren } from '../repository/access/children.ts';
import { onlyThose } from '../repository/access/configured.ts';
import { askPin, askToken, askUnpin } from '../movers/repository-mover/host-client.ts';
import { proveZstdHandles } from '../repository/format/zstd-proof.ts';
import { Grants } from '../repository/service/grants.ts';
import { systemClock } from '../system/clock.ts';
import { configuredAnywhere, configuredElsewhere, configuredOnly } from '../system/configured-repositories.ts';
import { homeDirectory, loadConfig, openInstallation, places } from '../system/installation.ts';
import { createLog } from '../system/log.ts';
import { reachedFromEnvironment } from '../system/reached.ts';
import { serveJson } from '../system/unix-http.ts';
import { serveStreams } from '../system/unix-stream.ts';
import type { HostParts } from './recovery/host-parts.ts';
import { consoles, routes } from './api/routes.ts';
import { latencySource } from './pace/latency-source.ts';
import { mustHoldServiceLock } from './files/service-lock.ts';
import { pinsByService } from './reconcile/pins-by-service.ts';
import { createPlatform } from './platforms.ts';
import { consoleUpgrade } from './protocol.ts';
import { Supervisor } from './supervisor.ts';
import { ReportNumbers } from './files/report-numbers.ts';
import { Tombstones } from './files/tombstones.ts';
import { setPrivateUmask } from '../system/private-umask.ts';

setPrivateUmask();

const log = createLog('supervisor');

try {
	await run();
} catch (error) {
	const { code, message, hint, exitCode } = asRouseError(error);
	log.fatal({ code, hint, ...(code === 'internal' ? { err: error } : {}) }, message);
	process.exit(exitCode);
}

async function run(): Promise<void> {
	const home = homeDirectory();
	await mustHoldServiceLock(home);
	await proveZstdHandles(); // for the movers, which inherit it
	const installation = await openInstallation(home);
	const reached = reachedFromEnvironment();
	const findElsewhere = configuredElsewhere(installation);
	const access = onlyThose(RepositoryChildren.of(installation), configuredOnly(installation));
	const config = await loadConfig(installation);
	const host: HostParts = {
		installation,
		...createPlatform(installation, config),
		latency: latencySource(installation, config),
		tombstones: new Tombstones(home),
		reportNumbers: new ReportNumbers(home, systemClock),
		mustBeConfigured: configuredAnywhere(installation),
		findElsewhere,
		askToken,
		repositories: pinsByService(access, { findElsewhere, askPin, askUnpin, grants: new Grants(home) }),
		log,
		clock: systemClock,
		reached: async place => reached(place),
		endForSeal: mover => mover.end(),
	};
	const supervisor = new Supervisor(host);
	// The clock's timers keep no process alive, and until this one listens all that it does may wait for them.
	const alive = setInterval(() => undefined, 60_000);
	const socketPath = places.supervisorSocket(installation.runDirectory);
	// Node removes the socket of a server that is closed: one that is still there is a dead supervisor's.
	await supervisor.start({ afterDeath: existsSync(socketPath) });
	const server = await serveJson(socketPath, routes(supervisor, host));
	clearInterval(alive);
	serveStreams(server, consoleUpgrade, consoles(supervisor));
	log.info({ home, recoveries: supervisor.registry.all().length }, 'ready');
	const end = async (signal: NodeJS.Signals) => {
		log.info({ signal }, 'ending; machines and movers go on');
		server.close();
		server.closeAllConnections();
		await supervisor.stop();
		process.exit(0);
	};
	for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(signal));
}
