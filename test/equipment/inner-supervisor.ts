import { mkdir } from 'node:fs/promises';
import { pino } from 'pino';
import { directAccess } from '../../repository/access/direct.ts';
import { askToken } from '../../movers/repository-mover/host-client.ts';
import type { HostParts } from '../../supervisor/recovery/host-parts.ts';
import { createPlatform } from '../../supervisor/platforms.ts';
import { routes } from '../../supervisor/api/routes.ts';
import { Supervisor } from '../../supervisor/supervisor.ts';
import { noLatency } from '../../supervisor/pace/latency-source.ts';
import { ReportNumbers } from '../../supervisor/files/report-numbers.ts';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { systemClock } from '../../system/clock.ts';
import { type Installation, loadConfig, places } from '../../system/installation.ts';
import { serveJson } from '../../system/unix-http.ts';

export interface InnerSupervisor {
	supervisor: Supervisor;
	stop: () => Promise<void>;
}

/** A supervisor in the test's own process, which can be given other parts than the real ones. */
export async function startInside(
	t: { after(hook: () => Promise<unknown>): void },
	installation: Installation,
	parts: Partial<HostParts> = {},
): Promise<InnerSupervisor> {
	const host: HostParts = {
		installation,
		...createPlatform(installation, await loadConfig(installation)),
		tombstones: new Tombstones(installation.home),
		reportNumbers: new ReportNumbers(installation.home, parts.clock ?? systemClock),
		repositories: directAccess,
		log: pino({ level: 'silent' }),
		clock: systemClock,
		reached: async () => undefined,
		latency: noLatency,
		endForSeal: mover => mover.end(),
		mustBeConfigured: async () => undefined,
		findElsewhere: async () => undefined,
		askToken,
		...parts,
	};
	await mkdir(installation.runDirectory, { recursive: true });
	const supervisor = new Supervisor(host);
	await supervisor.start();
	const server = await serveJson(places.supervisorSocket(installation.runDirectory), routes(supervisor, host));
	let stopped: Promise<void> | undefined;
	const stop = () => {
		server.close();
		server.closeAllConnections();
		return (stopped ??= supervisor.stop());
	};
	t.after(stop);
	return { supervisor, stop };
}
