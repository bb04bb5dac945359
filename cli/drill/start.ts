import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type DrillExpansion, expandDrill } from '../../client/drill/expand.ts';
import { Catalogue } from '../../client/batch/catalogue.ts';
import { drillFileSchema } from '../../model/drill-file.ts';
import { RouseError } from '../../model/errors.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { isErrno } from '../../system/durable-file.ts';
import { readYaml } from '../../system/parse-yaml.ts';
import { askNamedHosts } from '../batch/read-plan.ts';
import { type Session, withSession } from '../recover/session.ts';
import { chooseConfigured, repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { drillAnswer, drillText } from './text.ts';
import { follow } from './watch.ts';

export const buildStart = (context: Context) =>
	command('start')
		.description('start disposable machines on a network of their own, test them, report, and throw them away')
		.argument('<file>', 'which machines, and what is tested: a YAML file')
		.option('--name <name>', 'name of the drill (default: what the file says)', parseName)
		.option(...repositoryOption)
		.option('--reason <text>', 'why, for the report')
		.option('-d, --detach', 'do not wait for its end')
		.action((file, options) => start(file, options, context));

interface StartOptions {
	name?: string | undefined;
	repo?: string | undefined;
	reason?: string | undefined;
	detach?: true | undefined;
}

async function start(path: string, options: StartOptions, context: Context): Promise<void> {
	const text = await readDrillFile(path);
	await withSession(context, async session => {
		const { plan, warnings } = await expandText(text, { path, options, session, context });
		for (const warning of warnings) context.output.warn(warning);
		const { name } = plan.batch;
		await session.drills.start(plan);
		const read = async () => drillAnswer(await session.drills.view(name));
		if (!options.detach) return follow(name, read, context);
		const answer = await read();
		context.output.result(answer, drillText(answer, context.output.columns));
	});
}

export async function readDrillFile(path: string): Promise<string> {
	try {
		return await readFile(resolve(path), 'utf8');
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
		throw new RouseError('usage', `there is no file ${path}`);
	}
}

/** With all points resolved; errors name the place in the file. */
export async function expandText(
	text: string,
	{
		path,
		options,
		session,
		context,
	}: { path: string; options: Omit<StartOptions, 'detach'>; session: Session; context: Context },
): Promise<DrillExpansion> {
	const { value, placeOf } = readYaml(text, path, drillFileSchema, 'spec_invalid');
	const { name = value.name, reason = value.reason } = options;
	const file = { ...value, name, ...(reason === undefined ? {} : { reason }) };
	const { config, supervisor, installation } = session;
	const { signal } = context;
	const ask = async (host: string, hostId: string | undefined): Promise<HostView> =>
		host === config.host.name || hostId === undefined
			? supervisor.host({ signal })
			: (await session.hostElsewhere({ name: host, hostId })).host({ signal });
	const asked = await askNamedHosts(
		{ ...file, onFailure: 'continue' },
		{ config, home: installation.home, ask, context },
	);
	const catalogue = new Catalogue();
	try {
		const directoryOf = (repository: string | undefined) =>
			chooseConfigured(context, repository ?? options.repo, config);
		return await expandDrill(file, { ...asked, catalogue, directoryOf, placeOf, nowMs: Date.now() });
	} finally {
		await catalogue.close();
	}
}
