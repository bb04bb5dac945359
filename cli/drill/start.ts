import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DrillExpansion } from '../../client/drill/expand.ts';
import { planDrill } from '../../client/drill/plan.ts';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
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
		const { plan, warnings } = await planFile(text, { path, options, session, context });
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
export function planFile(
	text: string,
	{
		path,
		options,
		session,
		context,
	}: { path: string; options: Omit<StartOptions, 'detach'>; session: Session; context: Context },
): Promise<DrillExpansion> {
	const { config, supervisor, installation } = session;
	const { signal, output } = context;
	const { name, reason, repo } = options;
	return planDrill(
		text,
		{ path, name, reason },
		{
			config,
			home: installation.home,
			ask: async (host, hostId) =>
				host === config.host.name || hostId === undefined
					? supervisor.host({ signal })
					: (await session.hostElsewhere({ name: host, hostId })).host({ signal }),
			directoryOf: repository => chooseConfigured(context, repository ?? repo, config),
			onWarning: warning => output.warn(warning),
		},
	);
}
