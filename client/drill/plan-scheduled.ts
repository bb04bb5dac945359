import type { DrillPlan } from '../../model/drill.ts';
import { RouseError } from '../../model/errors.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { type Config, type Installation, loadConfig } from '../../system/installation.ts';
import type { TemporalClient } from '../connection.ts';
import { HostElsewhere } from '../host-elsewhere.ts';
import { planDrill } from './plan.ts';

/** What a schedule's file comes to at the time at which it is drilled, where a control worker runs. */
export async function planScheduledDrill(
	{ name, file, requestedBy }: { name: string; file: string; requestedBy: string },
	{
		temporal,
		installation,
		onWarning,
		signal,
	}: {
		temporal: TemporalClient;
		installation: Installation;
		onWarning: (warning: string) => void;
		signal: AbortSignal;
	},
): Promise<DrillPlan> {
	const config = await loadConfig(installation);
	const { plan } = await planDrill(
		file,
		{ path: `schedule ${name}`, name, requestedBy },
		{
			config,
			home: installation.home,
			ask: (host, hostId) =>
				host === config.host.name || hostId === undefined
					? SupervisorClient.of(installation).host({ signal })
					: new HostElsewhere(temporal, { name: host, hostId }).host({ signal }),
			directoryOf: async repository => directoryIn(config, repository),
			onWarning,
		},
	);
	return plan;
}

/** As config.yaml names it: what whoever made the schedule had in their environment counts for nothing. */
function directoryIn({ repositories, defaultRepository }: Config, name: string | undefined): string {
	const [only, ...more] = Object.keys(repositories);
	const wanted = name ?? defaultRepository ?? (more.length === 0 ? only : undefined);
	const directory = wanted !== undefined && Object.hasOwn(repositories, wanted) ? repositories[wanted] : undefined;
	if (directory !== undefined) return directory;
	throw new RouseError('repository_missing', `config.yaml does not say which repository ${wanted ?? 'it'} is`, {
		hint: 'name it in the file of the drill: defaults: {repository: NAME}',
	});
}
