import { setTimeout as delay } from 'node:timers/promises';
import { Option } from '@commander-js/extra-typings';
import { keepsControlWorker } from '../../keeper/control-worker.ts';
import { takeDown } from '../../keeper/down.ts';
import type { ReadyInstallation } from '../../keeper/ready.ts';
import { serviceHolder } from '../../keeper/services.ts';
import { startKeeper, startKeeperAgain, whileUpOrDown } from '../../keeper/start.ts';
import { installedUnit } from '../../keeper/systemd/service.ts';
import {
	type Config,
	homeDirectory,
	type Installation,
	loadConfig,
	openInstallation,
	places,
	type TemporalDatabase,
	temporalDatabases,
} from '../../system/installation.ts';
import { exists } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';
import { mustBeWhollyJoined } from '../host/join-home.ts';
import { type Context, command } from '../terminal/command.ts';
import { downText } from './down.ts';

export const build = (context: Context) =>
	command('up')
		.description('run the services of this installation; Ctrl-C ends them, machines keep running')
		.addOption(new Option('--detach', 'return when all are ready, and leave them running').conflicts('attend'))
		.option('--attend', 'as systemd runs it: stay with the services, with those that are up already too, ready or not')
		.addOption(
			new Option(
				'--temporal <database>',
				'where Temporal has its histories, remembered in config.yaml; embedded when it was never said',
			).choices(temporalDatabases),
		)
		.action(async ({ detach, attend, temporal }) => {
			const installation = await openInstallation(homeDirectory(context.env));
			await mustBeWhollyJoined(installation.home);
			await provideDatabase(installation, temporal, context);
			if (detach) {
				await bringUp(installation, context);
				return;
			}
			try {
				const { alreadyUp } = attend ? await attendTo(installation, context) : await bringUp(installation, context);
				if (alreadyUp) return; // somebody else's to end
				return context.output.message(await keepKeeper(installation, context));
			} catch (error) {
				if (!context.signal.aborted) throw error;
			}
			const say = (message: string) => context.output.message(message);
			const result = await whileUpOrDown(installation.home, () => takeDown(installation.home, say));
			context.output.message(downText(result));
		});

/** What is missing for PostgreSQL is provided before anything is changed or started, and not before it may be chosen. */
async function provideDatabase(
	installation: Installation,
	wanted: TemporalDatabase | undefined,
	context: Context,
): Promise<void> {
	const { chooseDatabase, wouldChange } = await import('../setup/choose-database.ts');
	if (wanted !== undefined) await wouldChange(installation, wanted);
	if ((wanted ?? (await loadConfig(installation)).temporal.database) === 'postgres') {
		const { providePostgres } = await import('../setup/postgres.ts');
		await providePostgres(context);
	}
	if (wanted !== undefined) await chooseDatabase(installation, wanted);
}

/** Resolves when everything answers; says so when it was up before. Used by what needs the services, too. */
export async function bringUp(installation: Installation, context: Context): Promise<{ alreadyUp: boolean }> {
	await mustBeWhollyJoined(installation.home);
	const config = await loadConfig(installation);
	const { started } = await startKeeper(installation, context.signal);
	if (started) await warnBesideUnit(installation, context);
	const { silent, ...ready } = await whenReady(installation, config, context);
	context.output.result({ ...ready, alreadyUp: !started }, upText(ready, { started, config, silent }));
	return { alreadyUp: !started };
}

async function warnBesideUnit(installation: Installation, { output }: Context): Promise<void> {
	const unit = await installedUnit(installation);
	if (unit === undefined) return;
	output.warn(
		`${unit} is to keep these services, and they are of this session now, with all machines that are started: rouse service install hands them over`,
	);
}

/** Shows what is waited for; warns of what of the served repositories does not answer. */
export async function whenReady(
	installation: Installation,
	config: Config,
	{ output, signal }: Context,
): Promise<ReadyInstallation> {
	const { waitUntilReady } = await import('../../keeper/ready.ts');
	const progress = output.progress('starting');
	let steps = 0;
	const step = (note: string) => progress.update({ done: ++steps, unit: 'steps', note });
	try {
		const ready = await waitUntilReady(installation, config, { signal, step });
		for (const what of ready.silent) output.warn(what);
		return ready;
	} finally {
		progress.end();
	}
}

/** Temporal may be elsewhere, and away for hours: that is no reason to end. */
async function attendTo(installation: Installation, { signal }: Context): Promise<{ alreadyUp: false }> {
	await startKeeper(installation, signal);
	return { alreadyUp: false };
}

/** A start that fails at once is not to keep a processor busy. */
const startAgainAfterMs = 1_000;

/** Returns, with why, when nothing is left to stay with; a keeper that ended otherwise is started again. */
async function keepKeeper(installation: Installation, { signal, output }: Context): Promise<string> {
	const { home } = installation;
	const ended = async () => (await serviceHolder(home, 'keeper')) === undefined;
	for (;;) {
		await waitFor('the keeper to end', ended, { timeoutMs: Number.POSITIVE_INFINITY, everyMs: 500, signal });
		// Else we would make directories anew.
		if (!(await exists(places.services(home)))) return 'the installation was removed';
		const why = await (await import('../../keeper/ready.ts')).lastWordsOfKeeper(home);
		await delay(startAgainAfterMs, undefined, { signal });
		// `down` holds the lock that this takes until it has ended them all.
		if (!(await startKeeperAgain(installation, signal))) return 'ended by rouse down';
		output.message(`the keeper of the services had died${why ? ` (${why})` : ''}; it is started again`);
	}
}

function nextOf(config: Config): string {
	const { host, repositories } = config;
	if (!keepsControlWorker(config))
		return `on the machine with the repositories: rouse recover start MACHINE@latest --host ${host.name}`;
	// Without a repository there is nothing to recover from.
	return Object.keys(repositories).length === 0 ? 'rouse repo init DIRECTORY' : 'rouse recover start MACHINE@latest';
}

const noControlWorker =
	'plans and pins are made by that of the machine with the repositories, since config.yaml has only those elsewhere';

export function upText(
	{ home, temporal, supervisorSocket, services }: Omit<ReadyInstallation, 'silent'>,
	{ started, config, silent }: { started: boolean; config: Config; silent: readonly string[] },
): string {
	const lines = [
		`${started ? 'up' : 'already up'}: all services are ready${silent.length === 0 ? '' : ' but those of the warning'}`,
		`  installation  ${home}`,
		`  temporal      ${temporal.address}, namespace ${temporal.namespace}`,
		`  supervisor    ${supervisorSocket}`,
		`  processes     ${services.map(({ name, pid }) => `${name} ${pid}`).join(', ')}`,
		`  logs          ${home}/services`,
		...(keepsControlWorker(config) ? [] : [`  no control worker: ${noControlWorker}`]),
		`Next: ${nextOf(config)}`,
	];
	return lines.join('\n');
}
