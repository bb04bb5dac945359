import { readBatch } from '../../client/batch/documents.ts';
import { type AskedHosts, askNamedHosts } from '../../client/batch/ask-hosts.ts';
import { existingRequests, foundOf } from '../../client/batch/existing.ts';
import { placesOf } from '../../client/batch/places.ts';
import type { Expansion } from '../../client/batch/expand.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import type { BatchPlan } from '../../model/batch.ts';
import type { BrokerView } from '../../model/broker-view.ts';
import { RouseError } from '../../model/errors.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import {
	type Config,
	homeDirectory,
	type Installation,
	loadConfig,
	openInstallation,
} from '../../system/installation.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Session, withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { batchAnswer, batchText } from './text.ts';
import { exitOfAll } from './watch.ts';
import { planItems } from './item-plans.ts';
import { parseHosts, parsePattern, parseWindow } from './parse.ts';
import { planDocument } from './plan-document.ts';
import { batchPlanText } from './plan-text.ts';
import { type BatchOptions, expandWritten, type WrittenBatch, writtenBatch } from './read-plan.ts';

export const buildStart = (context: Context) =>
	command('start')
		.description('start many machines, in order, as fast as hosts and repositories can bear')
		.argument('[file]', 'which machines, in which groups: a YAML file')
		.option(
			'--machines <pattern>',
			"the same without a file: machines of the repository, as 'web*'; may be repeated",
			parsePattern,
		)
		.option(
			'--hosts <names>',
			'where they may run, as kvm1,kvm2 (default: what the file says, else the own host)',
			parseHosts,
		)
		.option(...repositoryOption)
		.option('--name <name>', 'name of the batch (default: what the file says)', parseName)
		.option(
			'--window <number>',
			'how many may be on their way at once (default: what the file says, else 20)',
			parseWindow,
		)
		.option('--again', 'recoveries that were discarded or abandoned, and machines that were removed, once more')
		.option('--reason <text>', 'why, for the audit')
		.option('-n, --dry-run', 'only check, and print the whole plan')
		.action((file, options) => start(file, options, context));

type StartOptions = BatchOptions & { again?: true; dryRun?: true };

async function start(path: string | undefined, options: StartOptions, context: Context): Promise<void> {
	const written = await writtenBatch(path, options);
	const installation = await openInstallation(homeDirectory(context.env));
	const config = await loadConfig(installation);
	const from: From = { written, options, config, installation, context };
	if (options.dryRun) return showPlan(from);
	await withSession(context, async session => {
		const { expansion } = await expand(from, await lookAround(session, written.file.name), session);
		for (const warning of expansion.warnings) context.output.warn(warning);
		const { plan } = expansion;
		const outcome = await session.batches.start(plan, { again: options.again ?? false });
		if (outcome === 'attached') context.output.message(`batch ${plan.name} is under way with the same plan: attached`);
		if (outcome === 'attached' && options.again)
			context.output.warn(`--again counts for a batch that begins: give it once more when ${plan.name} is over`);
		const answer = batchAnswer(await readBatch(session, plan.name));
		context.output.result({ ...answer, outcome }, batchText(answer, context.output.columns));
	});
}

interface From {
	written: WrittenBatch;
	options: StartOptions;
	config: Config;
	installation: Installation;
	context: Context;
}

/** What Temporal knows that the plan depends on. */
interface Around {
	recoveries: readonly RecoverySummary[];
	open: BatchPlan | undefined;
	/** Null: it did not answer, or was not asked. */
	broker: BrokerView | null;
}

async function lookAround({ recoveries, batches, broker }: Session, name: string): Promise<Around> {
	const [list, open, shares] = await Promise.all([
		recoveries.list(),
		batches.openPlan(name),
		broker.view({ limitMs: 2_000 }).catch(() => null), // the own host's configuration tells its places then
	]);
	return { recoveries: list, open, broker: shares };
}

async function expand(
	{ written, options, config, installation, context }: From,
	{ recoveries, open }: Pick<Around, 'recoveries' | 'open'>,
	session: Session | undefined,
): Promise<{ expansion: Expansion; asked: AskedHosts }> {
	const { signal } = context;
	const supervisor = SupervisorClient.of(installation);
	const ask = async (host: string, hostId: string | undefined): Promise<HostView> => {
		if (host === config.host.name || hostId === undefined) return supervisor.host({ signal });
		if (session === undefined) throw new RouseError('temporal_unreachable', 'it is asked by way of Temporal');
		return (await session.hostElsewhere({ name: host, hostId })).host({ signal });
	};
	const asked = await askNamedHosts(written.file, {
		config,
		home: installation.home,
		ask,
		onWarning: warning => context.output.warn(warning),
	});
	const existing = existingRequests(recoveries, open);
	const expansion = await expandWritten(written, asked, {
		config,
		options,
		existing: name => existing.get(name),
		context,
	});
	return { expansion, asked };
}

/** Without Temporal too: what is wrong with a file is wrong before anything runs. */
async function showPlan(from: From): Promise<void> {
	const { context, written } = from;
	let around: Around = { recoveries: [], open: undefined, broker: null };
	try {
		return await withSession(context, async session => {
			around = await lookAround(session, written.file.name);
			return printPlan(from, around, session);
		});
	} catch (error) {
		if (!(error instanceof RouseError) || error.code !== 'temporal_unreachable') throw error;
		context.output.warn(`what exists already was not looked at: ${error.message}`);
	}
	return printPlan(from, around, undefined);
}

async function printPlan(
	from: From,
	{ recoveries, open, broker }: Around,
	session: Session | undefined,
): Promise<void> {
	const { context, config, installation, options } = from;
	const { expansion, asked } = await expand(from, { recoveries, open }, session);
	const supervisor = SupervisorClient.of(installation);
	const planned = await planItems(expansion.items, asked.hosts, {
		own: { name: config.host.name, host: supervisor },
		signal: context.signal,
	});
	const views = await supervisor.recoveries({ timeoutMs: 2_000 }).catch(() => []); // said already: the host does not answer
	const known = new Map(recoveries.map(recovery => [recovery.name, recovery]));
	const hashes = new Map(expansion.plan.items.map(({ name, requestHash }) => [name, requestHash]));
	const document = planDocument(expansion, planned, {
		hosts: asked.hosts,
		occupied: [{ host: config.host.name, views }],
		places: broker ? placesOf(broker, [...hashes.keys()]) : new Map([[config.host.name, config.host.recoveries]]),
		foundOf: name => foundOf(known.get(name), hashes.get(name) ?? '', options.again ?? false),
	});
	context.output.result(document, batchPlanText(document, context.output.columns));
	const problems = document.items.flatMap(({ problem }) => (problem ? [problem.code] : []));
	if (problems.length > 0) context.exitWith(exitOfAll(problems));
}
