import { resolve } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { Power } from '../../model/recovery.ts';
import type { SelftestProgress } from '../../model/selftest.ts';
import type { HostView, RecoveryView } from '../../supervisor/protocol.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { homeDirectory, loadConfig, openInstallation } from '../../system/installation.ts';
import { add } from '../host/add.ts';
import { admit, withdraw } from '../host/admit.ts';
import { drain } from '../host/drain.ts';
import { hostElsewhereText, hostsElsewhere } from '../host/hosts-elsewhere.ts';
import { currentOutages, outageText } from '../host/outages.ts';
import { invite } from '../host/invite.ts';
import { join } from '../host/join.ts';
import { removeAdded } from '../host/remove-added.ts';
import { removeInvited } from '../host/remove-invited.ts';
import { removeOwed } from '../host/owed-undos.ts';
import { runSelftest } from '../../activities/host/run-selftest.ts';
import { idElsewhere } from '../../client/requests.ts';
import { checkText, reportText } from '../host/selftest-text.ts';
import { hostMachineAnswer, machineText, standOf } from '../host/machine.ts';
import { machineAnswer } from '../recover/answer.ts';
import { abandonedText, machineStepText } from '../recover/next-text.ts';
import { requireConfirmation } from '../recover/orders.ts';
import { openSupervisor, withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatTable } from '../terminal/format.ts';
import { formatTime } from '../terminal/format-time.ts';
import { parseName } from '../terminal/parse.ts';

/** Something is not as a recovery needs it. */
const otherwiseExit = 4;

/** The host as its supervisor knows it: neither Temporal nor a worker is needed. Hosts of other machines beside it. */
export const build = (context: Context) => {
	const host = command('host').description(
		'machines on this host, which need neither Temporal nor a worker; and hosts of other machines',
	);
	const machines = [list(context), show(context), start(context), stop(context), remove(context)];
	const access = [admit(context), withdraw(context)];
	const hosts = [add(context), invite(context), join(context), drain(context), ...access];
	for (const verb of [...machines, selftest(context), ...hosts]) host.addCommand(verb);
	return host;
};

const list = (context: Context) =>
	command('list')
		.description('machines of unfinished recoveries, and finished ones; and the hosts of other machines')
		.action(async () => {
			const installation = await openInstallation(homeDirectory(context.env));
			const supervisor = SupervisorClient.of(installation);
			const { signal, output } = context;
			const warn = (message: string) => output.warn(message);
			const [view, all, outages, hosts] = await Promise.all([
				supervisor.host(),
				supervisor.recoveries(),
				currentOutages(installation.home),
				hostsElsewhere(installation, { signal, warn }),
			]);
			const machines = all.filter(machine => machine.state !== 'discarded');
			const about = `${view.name}: ${view.hypervisor} (${view.accelerator}), ${formatBytes(view.freeBytes)} free`;
			const networks = `networks: ${view.networks.map(network => network.name).join(', ') || 'none'}`;
			const notes = [
				...outages.map(outage => outageText(outage)),
				...view.warnings,
				...(view.unusable ? [view.unusable.message] : []),
			].map(note => `warning: ${note}`);
			context.output.result(
				{ host: view, machines: machines.map(machineAnswer), outages, hosts },
				[
					about,
					networks,
					...datastoreText(view),
					...hosts.map(hostElsewhereText),
					...notes,
					machinesText(machines, context.output.columns),
					...machines.flatMap(whatStands),
				].join('\n'),
			);
		});

const show = (context: Context) =>
	command('show')
		.description('everything that the host knows of one machine, finished or not')
		.argument('<name>', 'machine', parseName)
		.action(async name => {
			const installation = await openInstallation(homeDirectory(context.env));
			const supervisor = SupervisorClient.of(installation);
			const { signal } = context;
			const view = await supervisor.recovery(name, { signal });
			const incidents = await supervisor.incidents(name, 0, { signal });
			const answer = hostMachineAnswer(view, incidents, await currentOutages(installation.home));
			context.output.result(answer, machineText(answer));
		});

const start = (context: Context) =>
	command('start')
		.description('power on a finished machine, or one whose recovery powered it on before')
		.argument('<name>', 'machine', parseName)
		.action(async name => {
			const power = await (await openSupervisor(context)).machinePower(name, 'on', { signal: context.signal });
			context.output.result({ name, power }, `${name}: power ${power}\nIts console: rouse console ${name}`);
		});

const stop = (context: Context) =>
	command('stop')
		.description('ask the guest of a machine to shut down')
		.argument('<name>', 'machine', parseName)
		.option('--force', 'pull the plug instead')
		.action(async (name, { force }) => {
			const supervisor = await openSupervisor(context);
			const power = await supervisor.machinePower(name, force ? 'off' : 'shutdown', { signal: context.signal });
			const note = power === 'off' ? '' : `\n${stopNote(name, power)}`;
			context.output.result({ name, power }, `${name}: power ${power}${note}`);
		});

const remove = (context: Context) =>
	command('remove')
		.description(
			'end a finished or abandoned machine and remove it with its disks, for good; or undo `host add` or `invite`',
		)
		.argument('<name>', 'machine, or a host of another machine: that comes first', parseName)
		.requiredOption('--confirm <name>', 'the name again: there is no way back')
		.option('--dry-run', 'of a host: say what would be removed')
		.option('--identity <file>', "of a host: its administrator's private key")
		.option('--forget', 'of a host that is gone for good: remove what is known of it here, and touch nothing there')
		.option('--reason <text>', 'of a host: why, for the audit')
		.action(async (name, options) => {
			requireConfirmation(name, options.confirm);
			const installation = await openInstallation(homeDirectory(context.env));
			if (await removeAdded(context, installation, name, options)) return;
			if (await removeInvited(context, installation, name, options)) return;
			if (await removeOwed(context, name, options)) return;
			const given = Object.keys(options).filter(option => option !== 'confirm');
			if (given.length > 0)
				throw new RouseError('host_unknown', `no host ${name} was added or invited here, and ${given[0]} is of one`, {
					hint: 'leave it out for a machine',
				});
			const supervisor = await openSupervisor(context);
			const { recoveryId } = await supervisor.recovery(name, { signal: context.signal });
			await supervisor.removeMachine(name, recoveryId, { signal: context.signal });
			context.output.result({ name, removed: true }, `${name}: removed, with its disks`);
		});

const selftest = (context: Context) =>
	command('selftest')
		.description(
			'try on a Hyper-V host what is known of it from documentation alone, with a machine that is thrown away',
		)
		.argument('[name]', 'host (default: the host of this installation)', parseName)
		.option('--long', 'also what takes minutes: reads held for 5, the volume away for 10')
		.option('--report <file>', 'write all that was seen to a file, as JSON')
		.action(async (name, { long = false, report: path }) => {
			const installation = await openInstallation(homeDirectory(context.env));
			const config = await loadConfig(installation);
			const { host } = config;
			const elsewhere = name === undefined ? undefined : idElsewhere(config, name);
			if (elsewhere === undefined && host.kind !== 'hyperv')
				return context.output.result(
					{ host: host.name, kind: host.kind, report: null },
					`${host.name} is of kind ${host.kind}: there is nothing to test that the tests of Rouse do not.`,
				);
			const { output, env, signal, exitWith } = context;
			const tell = (line: SelftestProgress) => {
				if (line.type === 'check') output.event(line, checkText(line.check));
				else output.message(line.type === 'trying' ? `trying ${line.name}` : line.message);
			};
			const how = { long, signal, tell };
			const report =
				name === undefined || elsewhere === undefined
					? await runSelftest({ ...how, installation, env })
					: await withSession(context, session => session.selftestElsewhere({ name, hostId: elsewhere }, how));
			if (path !== undefined) await replaceFileDurably(resolve(path), `${JSON.stringify(report, undefined, '\t')}\n`);
			output.event({ type: 'report', host: name ?? host.name, kind: 'hyperv', report }, reportText(report));
			signal.throwIfAborted();
			if (report.checks.some(({ outcome }) => outcome === 'otherwise')) exitWith(otherwiseExit);
			return undefined;
		});

/** How slow it is, and what follows from that. */
function datastoreText({ datastore }: HostView): string[] {
	if (datastore === null) return [];
	const { source, latencyMs, stopsNew, copyBytesPerSecond } = datastore;
	const at = latencyMs === null ? 'not known yet' : `${latencyMs.toFixed(1)} ms`;
	const slowed = copyBytesPerSecond === null ? [] : [`copies may write ${formatBytes(copyBytesPerSecond)}/s`];
	return [
		[`datastore: ${at} for a read or write (${source})`, ...(stopsNew === null ? [] : [stopsNew]), ...slowed].join(
			'; ',
		),
	];
}

function stopNote(name: string, power: Power): string {
	return power === 'crashed'
		? `Its guest has crashed and hears nothing: ${machineStepText(name, power)}; power it off: rouse host stop ${name} --force`
		: `The guest was asked. If it does not listen: rouse host stop ${name} --force`;
}

/** Each machine that does not go on by itself, with why and what to do. */
function whatStands(view: RecoveryView): string[] {
	const { name, state, power, stalled } = view;
	const { blocked, next } = hostMachineAnswer(view, []);
	if (state === 'abandoned') return [`${name} was abandoned; ${abandonedText(name)}`];
	if (blocked) return [`${name}: parked: ${blocked.reason}`, `  next: ${next}`];
	if (stalled) return [`${name}: stalled since ${formatTime(stalled.since)}: ${stalled.reason}`, `  next: ${next}`];
	return power === 'crashed' ? [`${name}: its guest has crashed`, `  next: ${next}`] : [];
}

const disks: Record<RecoveryView['chain'], string> = {
	mover: 'from the repository',
	local: 'local, not yet merged',
	target: 'its own',
};

function machinesText(machines: readonly RecoveryView[], columns: number | undefined): string {
	if (machines.length === 0) return 'no machines';
	return formatTable(
		['NAME', 'MACHINE', 'STATE', 'POWER', 'DISKS', 'DIRECTORY'],
		machines.map(machine => [
			machine.name,
			machine.machineName,
			standOf(machine),
			machine.power,
			disks[machine.chain],
			machine.directory,
		]),
		columns,
	);
}
