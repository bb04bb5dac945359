import { Option } from '@commander-js/extra-typings';
import { planRecovery } from '../../activities/control/plan-recovery.ts';
import { readDocument } from '../../client/documents.ts';
import { isRemoved } from '../../client/removed-machine.ts';
import type { AskableHost } from '../../client/host-elsewhere.ts';
import { idElsewhere, makePoolRequest, makeRequest, type RequestOptions } from '../../client/requests.ts';
import { RouseError } from '../../model/errors.ts';
import type { PointReference } from '../../model/names.ts';
import type { ReadinessCheck } from '../../model/readiness.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import type { HardwareRequest } from '../../model/hardware-request.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { type Config, homeDirectory, loadConfig } from '../../system/installation.ts';
import { chooseConfigured, repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import {
	parseBytes,
	parseCpus,
	parseDuration,
	parseMemory,
	parseName,
	parseNames,
	parsePoint,
	parsePriority,
} from '../terminal/parse.ts';
import { parseTime } from '../terminal/parse-time.ts';
import { recoveryAnswer } from './answer.ts';
import { parseForward, parseNetwork, parsePlatformOption } from './parse-key-value.ts';
import { parseReady, parseReadyWithin, readinessOf } from './parse-ready.ts';
import { planText } from './plan-text.ts';
import { openSupervisor, type Session, withSession } from './session.ts';
import { type AskedHost, askPool, firstThatAnswers } from './start-hosts.ts';
import { fullText } from './text.ts';
import { waitForPhase } from './wait.ts';

export type StartOptions = Omit<
	RequestOptions,
	| 'host'
	| 'deadline'
	| 'readiness'
	| 'powerOn'
	| 'maxRateBytes'
	| 'networks'
	| 'forwards'
	| 'memoryMiB'
	| 'platformOptions'
> & {
	/** One, or several of which it is to be one. */
	host?: [string, ...string[]] | undefined;
	/** Until when it is to run. */
	by?: string | undefined;
	/** The same, from now on, in milliseconds. */
	rto?: number | undefined;
	power: 'on' | 'off';
	ready?: ReadinessCheck | undefined;
	/** Milliseconds. */
	readyWithin?: number | undefined;
	/** Bytes per second. */
	maxRate?: number | undefined;
	network?: RecoveryRequest['networks'] | undefined;
	forward?: RecoveryRequest['forwards'];
	/** MiB. */
	memory?: number | undefined;
	platform?: RecoveryRequest['platformOptions'] | undefined;
	repo?: string | undefined;
	again?: true;
	wait: 'running' | 'finished';
	dryRun?: true;
};

export const buildStart = (context: Context) =>
	command('start')
		.description('start a machine from its backup')
		.argument('<machine@point>', 'web01@latest, web01@2026-11-20T03:00Z', parsePoint)
		.option(...repositoryOption)
		.option('--host <names>', 'where it runs, or several of which it is to be one, as kvm1,kvm2', parseNames)
		.option('--name <name>', 'name of the recovery (default: MACHINE-r1)', parseName)
		.option('--again', 'use the name of a discarded or abandoned recovery, or of a machine that was removed, again')
		.addOption(
			new Option('--finish <how>', 'migrate by itself, or when told').choices(['manual', 'migrate']).default('manual'),
		)
		.addOption(
			new Option('--switch <when>', 'to its own disks by itself, once all is local, or when told')
				.choices(['auto', 'manual'])
				.default('auto'),
		)
		.addOption(
			new Option('--allocate <when>', 'take the whole space at the start, or as the disk fills')
				.choices(['start', 'thin'])
				.default('start'),
		)
		.option('--memory <size>', 'its memory, as 2048 (MiB) or 2GiB (default: what it had)', parseMemory)
		.option('--cpus <number>', 'its virtual CPUs (default: what it had)', parseCpus)
		.option(
			'--network <src=name>',
			'where a network of the original leads, as lan=bridge:br0 (default: link down)',
			parseNetwork,
		)
		.option('--forward <port:guestport>', "a port of this host that leads to the guest's, as 2222:22", parseForward)
		.option('--platform <key=value>', "a wish to the host's platform about the machine's devices", parsePlatformOption)
		.option('--new-mac', 'new MAC addresses, when the original may still be alive')
		.option('--machine-name <name>', 'name of the machine on the host (default: that of the recovery)', parseName)
		.addOption(new Option('--power <state>', 'power it on, or leave it off').choices(['on', 'off']).default('on'))
		.option(
			'--ready <check>',
			'it is ready when this passes: agent, ping:ADDRESS, tcp:ADDRESS:PORT, command:NAME (default: when it is powered on)',
			parseReady,
		)
		.option('--ready-within <time>', 'time limit of that check, as 5m (default: 10m)', parseReadyWithin)
		.option('--max-rate <bytes>', 'limit of the migration per second, as 20MiB; 0 is none', parseBytes)
		.option('--priority <1-5>', 'among those that wait for a place: 1 goes first, 5 last (default: 3)', parsePriority)
		.option('--by <time>', 'until when it is to run: among equal priorities the earliest goes first', parseTime)
		.option('--rto <duration>', 'the same from now on, as 15m or 4h', parseDuration)
		.option('--reason <text>', 'why, for the audit')
		.addOption(
			new Option('--wait <phase>', 'return only in this phase').choices(['running', 'finished']).default('running'),
		)
		.option('-n, --dry-run', 'only check, and print the plan')
		.action((point, options) => start(point, options, context));

async function start(point: PointReference, options: StartOptions, context: Context): Promise<void> {
	if (options.by !== undefined && options.rto !== undefined)
		throw new RouseError('usage', '--by and --rto are two words for one thing', { hint: 'say one of them' });
	const config = await loadConfig({ home: homeDirectory(context.env) });
	const [name = config.host.name, ...more] = options.host ?? [];
	if (more.length > 0) return startInPool(point, options, [name, ...more], context);
	const elsewhere = idElsewhere(config, name);
	const prepare = (host: AskableHost) => prepared(point, options, { config, host, context });
	if (elsewhere === undefined) {
		// What is wrong with it is told also where Temporal does not run.
		const wanted = await prepare(await openSupervisor(context));
		if (options.dryRun) return showPlan(wanted, context);
		return withSession(context, session => carryOut(wanted, options, { session, context }));
	}
	await withSession(context, async session => {
		const wanted = await prepare(await session.hostElsewhere({ name, hostId: elsewhere }));
		if (options.dryRun) return showPlan(wanted, context);
		return carryOut(wanted, options, { session, context });
	});
}

async function startInPool(
	point: PointReference,
	options: StartOptions,
	names: [string, ...string[]],
	context: Context,
): Promise<void> {
	await withSession(context, async session => {
		const { config } = session;
		const hosts = await askPool(names, { session, context });
		const repository = await chooseConfigured(context, options.repo, config);
		const networks = names.includes(config.host.name) ? config.host.networks : {};
		const onWarning = (warning: string) => context.output.warn(warning);
		const request = await makePoolRequest(point, requestOptions(options), { networks, repository, hosts, onWarning });
		const asked = firstThatAnswers(hosts);
		const wanted: Wanted = { request, ...asked, others: hosts.filter(({ host }) => host !== asked.host) };
		if (options.dryRun) return showPlan(wanted, context);
		return carryOut(wanted, options, { session, context });
	});
}

/** A request, and the host that it is for, as it was when it was asked. */
interface Wanted {
	request: RecoveryRequest;
	host: AskableHost;
	view: HostView;
	/** On which it may run as well. */
	others?: readonly AskedHost[];
}

async function prepared(
	point: PointReference,
	options: StartOptions,
	{ config, host, context }: { config: Config; host: AskableHost; context: Context },
): Promise<Wanted> {
	const repository = await chooseConfigured(context, options.repo, config);
	const view = await host.host({ signal: context.signal });
	// A plan says so itself.
	const onWarning = options.dryRun ? undefined : (warning: string) => context.output.warn(warning);
	// The configuration speaks of the networks of its own host.
	const networks = view.name === config.host.name ? config.host.networks : {};
	const request = await makeRequest(point, requestOptions(options), { networks, repository, host: view, onWarning });
	return { request, host, view };
}

async function carryOut(
	{ request, host, view, others = [] }: Wanted,
	options: StartOptions,
	{ session, context }: { session: Session; context: Context },
): Promise<void> {
	for (const warning of view.warnings) context.output.warn(warning);
	const { name } = request;
	const { outcome } = await session.recoveries.start(request, {
		again: options.again ?? false,
		isRemoved: finished => {
			const other = others.find(({ place }) => place.hostId === finished.request?.hostId);
			return isRemoved(other?.host ?? host, other?.place.hostId ?? view.hostId, finished);
		},
	});
	if (outcome === 'attached') context.output.message(`${name} was started before with the same request: attached`);
	if (outcome === 'already_finished') context.output.message(`${name} is finished already`);
	await waitForPhase(session, name, options.wait, context);
	const answer = recoveryAnswer(await readDocument(session, name));
	context.output.result({ ...answer, outcome }, fullText(answer));
}

/** A platform may have to find out first what its host can do. */
const planTimeoutMs = 45_000;

/** The same planning that the recovery does as its first step, and a look at the host; it changes nothing. */
async function showPlan({ request, host, view }: Wanted, context: Context): Promise<void> {
	const { signal } = context;
	const chooseHardware = (question: HardwareRequest) => host.hardware(question, { signal, timeoutMs: planTimeoutMs });
	const networks = view.networks.map(network => network.name);
	const plan = await planRecovery(request, { host: { view, chooseHardware } });
	context.output.result({ request, plan }, planText(request, plan, networks));
}

/** What was typed, under the names of a request. */
export function requestOptions(typed: StartOptions): RequestOptions {
	const {
		power,
		ready,
		readyWithin,
		maxRate,
		network,
		forward,
		memory,
		platform,
		by,
		rto,
		host: _host,
		...same
	} = typed;
	const deadline = by ?? (rto === undefined ? undefined : new Date(Date.now() + rto).toISOString());
	return {
		...same,
		powerOn: power === 'on',
		readiness: readinessOf(ready, readyWithin),
		maxRateBytes: maxRate,
		networks: network,
		forwards: forward,
		memoryMiB: memory,
		platformOptions: platform,
		deadline,
	};
}
