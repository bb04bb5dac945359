import type { Batches } from '../../client/batches.ts';
import type { DrillSchedules } from '../../client/drill/schedules.ts';
import type { Drills } from '../../client/drills.ts';
import type { Broker } from '../../client/broker.ts';
import type { HostElsewhere } from '../../client/host-elsewhere.ts';
import type { ImportSchedules } from '../../client/import-schedules.ts';
import type { Imports } from '../../client/imports.ts';
import type { SelftestElsewhere } from '../../client/host-selftest.ts';
import type { Orders } from '../../client/orders.ts';
import type { OwedUndos } from '../../client/owed-undos.ts';
import type { Recoveries } from '../../client/recoveries.ts';
import type { SelftestReport } from '../../model/selftest.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import {
	type Config,
	homeDirectory,
	type Installation,
	loadConfig,
	openInstallation,
} from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';

/** What a command about recoveries works with. */
export interface Session {
	installation: Installation;
	config: Config;
	recoveries: Recoveries;
	batches: Batches;
	drills: Drills;
	drillSchedules: DrillSchedules;
	imports: Imports;
	importSchedules: ImportSchedules;
	orders: Orders;
	owedUndos: OwedUndos;
	broker: Broker;
	supervisor: SupervisorClient;
	selftestElsewhere: (host: { name: string; hostId: string }, how: SelftestElsewhere) => Promise<SelftestReport>;
	/** A host of another machine. */
	hostElsewhere: (host: { name: string; hostId: string }) => Promise<HostElsewhere>;
}

/** Connects, does the work, and lets go. Temporal's client is loaded here and not before: it takes half a second. */
export async function withSession<T>(context: Context, work: (session: Session) => Promise<T>): Promise<T> {
	const installation = await openInstallation(homeDirectory(context.env));
	const config = await loadConfig(installation);
	const [
		{ Batches },
		{ Broker },
		{ connectTemporal },
		{ DrillSchedules },
		{ Drills },
		{ ImportSchedules },
		{ Imports },
		{ Orders },
		{ OwedUndos },
		{ Recoveries },
	] = await Promise.all([
		import('../../client/batches.ts'),
		import('../../client/broker.ts'),
		import('../../client/connection.ts'),
		import('../../client/drill/schedules.ts'),
		import('../../client/drills.ts'),
		import('../../client/import-schedules.ts'),
		import('../../client/imports.ts'),
		import('../../client/orders.ts'),
		import('../../client/owed-undos.ts'),
		import('../../client/recoveries.ts'),
	]);
	const temporal = await connectTemporal(installation, config);
	try {
		const supervisor = SupervisorClient.of(installation);
		const hostElsewhere: Session['hostElsewhere'] = async host => {
			const elsewhere = await import('../../client/host-elsewhere.ts');
			return new elsewhere.HostElsewhere(temporal, host);
		};
		const selftestElsewhere: Session['selftestElsewhere'] = async (host, how) =>
			(await import('../../client/host-selftest.ts')).selftestElsewhere(temporal, host, how);
		return await work({
			installation,
			config,
			recoveries: new Recoveries(temporal),
			batches: new Batches(temporal),
			drills: new Drills(temporal),
			drillSchedules: new DrillSchedules(temporal),
			imports: new Imports(temporal),
			importSchedules: new ImportSchedules(temporal),
			orders: new Orders(temporal),
			owedUndos: new OwedUndos(temporal),
			broker: new Broker(temporal),
			supervisor,
			hostElsewhere,
			selftestElsewhere,
		});
	} finally {
		await temporal.close();
	}
}

/** The supervisor of this installation's host: for what needs neither Temporal nor workers. */
export async function openSupervisor(context: Context): Promise<SupervisorClient> {
	return SupervisorClient.of(await openInstallation(homeDirectory(context.env)));
}
