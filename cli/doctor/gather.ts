/** Looks at an installation with whatever of it runs: files only, the supervisor alone, or everything. Changes nothing. */
import { resolve } from 'node:path';
import { asRouseError } from '../../model/errors.ts';
import { RepositoryChildren } from '../../repository/access/children.ts';
import type { Pin } from '../../repository/pins.ts';
import { Grants } from '../../repository/service/grants.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { type Config, type Installation, loadConfig } from '../../system/installation.ts';
import { currentOutages } from '../host/outages.ts';
import type { DirectoryFacts, Facts, GrantFacts, PinFacts, RepositoryFacts, WorkflowFacts } from './facts.ts';
import { gatherHost, gatherOwing, gatherRecoveries, gatherTombstones } from './gather-host.ts';
import { gatherOrphans, gatherServices, gatherSilent, gatherSupervisor } from './gather-processes.ts';

/** A repository that has not answered by then hangs, as far as this command goes. */
const repositoryLimitMs = 10_000;

export async function gatherFacts(installation: Installation): Promise<Facts> {
	const { home } = installation;
	const config = await configOf(installation);
	const supervisor = await gatherSupervisor(installation);
	const host = await gatherHost(installation);
	const temporal = config && (await gatherTemporal(installation, config, host.recoveries));
	// Again, since recoveries go on: one that came meanwhile has a workflow that was not asked for, and one that ended
	// meanwhile has none. What was there both times is what can be compared.
	const before = new Set(host.recoveries.map(({ name }) => name));
	const again = (await gatherRecoveries(home)).filter(({ name }) => before.has(name));
	const recoveries = supervisor.state === 'answers' ? await leftAlone(installation, again) : again;
	return {
		...host,
		home,
		host: config?.host.name ?? '',
		recoveries,
		tombstones: await gatherTombstones(home),
		supervisor,
		views: supervisor.state === 'answers' ? await SupervisorClient.of(installation).recoveries() : [],
		services: await gatherServices(installation),
		silent: config ? await gatherSilent(installation, config) : [],
		outages: await currentOutages(home),
		orphans: await gatherOrphans(home),
		workflows: temporal?.workflows,
		temporalClock: temporal?.temporalClock,
		broker: temporal?.broker,
		owedUndos: temporal?.owedUndos ?? [],
		grants: await gatherGrants(home),
		repositories: await gatherRepositories(installation, config, recoveries),
		sources: temporal?.sources ?? [],
		importSchedules: temporal?.importSchedules ?? [],
	};
}

/** An invalid one is told of by the checks. */
async function configOf(installation: Installation): Promise<Config | undefined> {
	try {
		return await loadConfig(installation);
	} catch (error) {
		if (asRouseError(error).code !== 'config_invalid') throw error;
		return undefined;
	}
}

/** What the supervisor cannot read it leaves alone, and says so to whoever asks for it. */
async function leftAlone(installation: Installation, recoveries: DirectoryFacts[]): Promise<DirectoryFacts[]> {
	const supervisor = SupervisorClient.of(installation);
	return Promise.all(
		recoveries.map(async (directory): Promise<DirectoryFacts> => {
			const { content, name } = directory;
			if (content.kind !== 'recovery' || content.name !== name) return directory;
			try {
				await supervisor.recovery(name);
			} catch (thrown) {
				const error = asRouseError(thrown);
				if (error.code === 'format_damaged' || error.code === 'identity_conflict')
					return { ...directory, content: { kind: 'unreadable', reason: error.message } };
				// Not there any more, or nobody to ask: the files are what there is.
				if (error.code !== 'recovery_unknown' && error.code !== 'supervisor_unreachable') throw error;
			}
			return directory;
		}),
	);
}

/** Temporal's client is loaded here and not before: it takes half a second. */
async function gatherTemporal(
	installation: Installation,
	config: Config,
	onHost: readonly DirectoryFacts[],
): Promise<
	| ({ workflows: WorkflowFacts[] } & Pick<
			Facts,
			'temporalClock' | 'broker' | 'owedUndos' | 'sources' | 'importSchedules'
	  >)
	| undefined
> {
	const [
		{ connectTemporal },
		{ OwedUndos },
		{ Recoveries },
		{ gatherTemporalClock },
		{ gatherBroker },
		{ gatherImportSchedules, gatherSources },
	] = await Promise.all([
		import('../../client/connection.ts'),
		import('../../client/owed-undos.ts'),
		import('../../client/recoveries.ts'),
		import('./gather-clock.ts'),
		import('./gather-broker.ts'),
		import('./gather-sources.ts'),
	]);
	try {
		const temporal = await connectTemporal(installation, config);
		try {
			const recoveries = new Recoveries(temporal);
			const known = new Map((await recoveries.list()).map(summary => [summary.name, summary]));
			// The list lags behind; what is on this host is asked for by name.
			for (const { name } of onHost) {
				const found = await recoveries.find(name);
				if (found) known.set(name, found);
				else known.delete(name);
			}
			const workflows = [...known.values()].map(({ name, recoveryId, phase, workflow, request, status }) => ({
				name,
				recoveryId,
				host: request?.host,
				phase,
				status: workflow,
				parked: status?.parked ?? null,
			}));
			const broker = await gatherBroker(temporal);
			const owedUndos = (await new OwedUndos(temporal).list()).map(owed => ({
				...owed,
				ageMs: Date.now() - Date.parse(owed.since),
			}));
			const sources = await gatherSources(installation, config, temporal);
			const importSchedules = await gatherImportSchedules(config, temporal);
			const temporalClock = await gatherTemporalClock(temporal);
			return { workflows, temporalClock, broker, owedUndos, sources, importSchedules };
		} finally {
			await temporal.close();
		}
	} catch (error) {
		const { code } = asRouseError(error);
		// A host of another installation is let in to what its worker needs, and to no list: what it has itself is looked at.
		if (code !== 'temporal_unreachable' && code !== 'access_denied') throw error;
		return undefined;
	}
}

async function gatherGrants(home: string): Promise<GrantFacts[]> {
	const held = await new Grants(home).list();
	return held.map(({ grant: { recoveryId, name, host, repository }, ageMs }) => ({
		recoveryId,
		name,
		host,
		repository,
		ageMs,
	}));
}

async function factsOf(pin: Pin, grants: Grants): Promise<PinFacts> {
	// One that cannot be read tells as much as none.
	const held = await grants.read(pin.recoveryId).catch(() => undefined);
	const granted = held && { host: held.grant.host, ended: held.ended };
	return { ...pin, ageMs: Date.now() - Date.parse(pin.pinnedAt), granted };
}

async function gatherRepositories(
	{ home, cacheDirectory }: Installation,
	config: Config | undefined,
	recoveries: readonly DirectoryFacts[],
): Promise<RepositoryFacts[]> {
	const configured = Object.values(config?.repositories ?? {}).map(directory => resolve(directory));
	const used = recoveries.flatMap(({ content }) => (content.kind === 'recovery' ? (content.repository ?? []) : []));
	const elsewhere = new Set(Object.values(config?.repositoriesElsewhere ?? {}).map(({ directory }) => directory));
	const owing = (await gatherOwing(home)).filter(directory => !elsewhere.has(directory));
	const grants = new Grants(home);
	const children = RepositoryChildren.of({ cacheDirectory });
	try {
		return await Promise.all(
			[...new Set([...configured, ...used, ...owing])].map(async (directory): Promise<RepositoryFacts> => {
				try {
					const { pins, unreadable } = await children.listPins(directory, AbortSignal.timeout(repositoryLimitMs));
					const known = await Promise.all(pins.map(pin => factsOf(pin, grants)));
					return { directory, pins: known, damagedPins: unreadable, problem: undefined };
				} catch (error) {
					return { directory, pins: [], damagedPins: [], problem: asRouseError(error).message };
				}
			}),
		);
	} finally {
		void children.close(); // one that hangs in the kernel does not end
	}
}
