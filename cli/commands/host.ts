import type { RecoveryView } from '../../supervisor/protocol.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { currentOutages, outageText } from '../host/outages.ts';
import { hostMachineAnswer, machineText } from '../host/machine.ts';
import { machineAnswer } from '../recover/answer.ts';
import { abandonedText } from '../recover/next-text.ts';
import { requireConfirmation } from '../recover/orders.ts';
import { openSupervisor } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatTable } from '../terminal/format.ts';
import { parseName } from '../terminal/parse.ts';

/** The host as its supervisor knows it: neither Temporal nor a worker is asked. */
export const build = (context: Context) => {
	const host = command('host').description('machines on this host, with its supervisor alone');
	for (const verb of [list(context), show(context), start(context), stop(context), remove(context)])
		host.addCommand(verb);
	return host;
};

const list = (context: Context) =>
	command('list')
		.description('machines of unfinished recoveries, and finished ones')
		.action(async () => {
			const installation = await openInstallation(homeDirectory(context.env));
			const supervisor = SupervisorClient.of(installation);
			const [view, all, outages] = await Promise.all([
				supervisor.host(),
				supervisor.recoveries(),
				currentOutages(installation.home),
			]);
			const machines = all.filter(machine => machine.state !== 'discarded');
			const about = `${view.name}: ${view.hypervisor} (${view.accelerator}), ${formatBytes(view.freeBytes)} free`;
			const notes = [
				...outages.map(outage => outageText(outage)),
				...view.warnings,
				...(view.unusable ? [view.unusable.message] : []),
			].map(note => `warning: ${note}`);
			context.output.result(
				{ host: view, machines: machines.map(machineAnswer), outages },
				[about, ...notes, machinesText(machines, context.output.columns), ...machines.flatMap(abandonedNotes)].join(
					'\n',
				),
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
		.description('power a machine on, finished or of a recovery that was powered on before')
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
			const note =
				power === 'off' ? '' : `\nThe guest was asked. If it does not listen: rouse host stop ${name} --force`;
			context.output.result({ name, power }, `${name}: power ${power}${note}`);
		});

const remove = (context: Context) =>
	command('remove')
		.description('end a finished or abandoned machine and remove it with its disks, for good')
		.argument('<name>', 'machine', parseName)
		.requiredOption('--confirm <name>', 'the name again: there is no way back')
		.action(async (name, { confirm }) => {
			requireConfirmation(name, confirm);
			const supervisor = await openSupervisor(context);
			const { recoveryId } = await supervisor.recovery(name, { signal: context.signal });
			await supervisor.removeMachine(name, recoveryId, { signal: context.signal });
			context.output.result({ name, removed: true }, `${name}: removed, with its disks`);
		});

function abandonedNotes({ name, state }: RecoveryView): string[] {
	return state === 'abandoned' ? [`${name} was abandoned; ${abandonedText(name)}`] : [];
}

function machinesText(machines: readonly RecoveryView[], columns: number | undefined): string {
	if (machines.length === 0) return 'no machines';
	return formatTable(
		['NAME', 'MACHINE', 'STATE', 'POWER', 'DISKS', 'DIRECTORY'],
		machines.map(({ name, machineName, state, power, chain, directory }) => [
			name,
			machineName,
			state,
			power,
			chain === 'target' ? 'its own' : chain === 'local' ? 'local, not yet merged' : 'from the repository',
			directory,
		]),
		columns,
	);
}
