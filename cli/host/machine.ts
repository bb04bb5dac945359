/** One machine as its host alone knows it. */
import type { Incident } from '../../model/recovery.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import { abandonedText, machineStepText, sourceText } from '../recover/next-text.ts';
import { machineAnswer } from '../recover/answer.ts';
import { type OutageAnswer, outageText } from './outages.ts';
import { limitsText, nicText } from '../recover/text.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatTime } from '../terminal/format-time.ts';
import { terminalLine } from '../../system/terminal-text.ts';

const shownIncidents = 5;

/** `host show --json`; docs/cli.md lists the fields. */
export function hostMachineAnswer(
	view: RecoveryView,
	incidents: readonly Incident[],
	current: readonly OutageAnswer[] = [],
) {
	const machine = machineAnswer(view);
	const lastIncidents = incidents.slice(-shownIncidents);
	// A finished or abandoned machine has no workflow that would wait.
	const outages = view.state === 'active' ? current : [];
	return { ...machine, outages, lastIncidents, next: nextOf(view, machine.blocked?.next) };
}
export type HostMachineAnswer = ReturnType<typeof hostMachineAnswer>;

function nextOf({ name, state, done, power, stalled }: RecoveryView, unblocks: string | undefined): string {
	if (unblocks !== undefined) return unblocks;
	const off = power === 'off' && (state === 'finished' || done.includes('power-on'));
	const start = off ? [`power it on: rouse host start ${name}`] : [];
	if (state === 'finished') return machineStepText(name, power);
	if (state === 'discarded') return 'it is being cleared away';
	if (state === 'abandoned') return abandonedText(name);
	if (stalled) return sourceText;
	const workflow = `its workflow: rouse recover show ${name}; if that is lost: rouse recover adopt ${name}`;
	return [...start, workflow].join('; ');
}

const chains: Record<RecoveryView['chain'], string> = {
	mover: 'the repository, with what its guest writes in files of its own',
	local: 'its own disks, and the files with what its guest wrote',
	target: 'its own disks alone',
};

type Stand = Pick<HostMachineAnswer, 'state' | 'stalled'> & { blocked: object | null };

/** `active, parked`: with the words of `recover list`. */
export function standOf({ state, blocked, stalled }: Stand): string {
	return `${state}${blocked ? ', parked' : stalled ? ', stalled' : ''}`;
}

export function machineText(machine: HostMachineAnswer): string {
	const { name, state, power, powerDesired, chain, switchStage, blocked, disks, copying, movers } = machine;
	const wished = powerDesired === null || powerDesired === power ? '' : ` (wanted: ${powerDesired})`;
	const lines = [`${name}: ${standOf(machine)}, power ${power}${wished}`];
	const row = (label: string, value: string) => lines.push(`  ${label.padEnd(10)} ${terminalLine(value)}`);
	if (machine.machineName !== name) row('machine', machine.machineName);
	row('recovery', machine.recoveryId);
	if (state === 'active' || state === 'abandoned') row('done', machine.done.join(', ') || 'nothing yet');
	row('stands on', `${chains[chain]}${switchStage === 'begun' ? '; the switch has begun' : ''}`);
	if (blocked) row('parked', `${blocked.reason} (${blocked.code})`);
	if (machine.stalled) row('stalled', `since ${formatTime(machine.stalled.since)}: ${machine.stalled.reason}`);
	for (const text of limitsText(machine)) row('copy', text);
	for (const outage of machine.outages) row('waits', outageText(outage));
	for (const [index, { sizeBytes, restoredBytes, path }] of disks.entries())
		row(
			`disk${index}`,
			`${formatBytes(restoredBytes)} of ${formatBytes(sizeBytes)} local${copying ? ', copying' : ''}${path === '' ? '' : `, ${path}`}`,
		);
	for (const [index, nic] of machine.nics.entries()) row(`nic${index}`, nicText(nic));
	for (const { kind, alive, pid } of movers) row('mover', `${kind}: ${alive ? `pid ${pid}` : 'not running'}`);
	row('directory', machine.directory);
	if (machine.runDirectory !== null) row('sockets', machine.runDirectory);
	for (const [key, value] of Object.entries(machine.platform)) row('platform', `${key}: ${value}`);
	for (const { at, kind, message, count } of machine.lastIncidents)
		row('incident', `${formatTime(at)} ${kind}: ${message}${count > 1 ? ` (${count} times)` : ''}`);
	lines.push(`Next: ${machine.next}`);
	return lines.join('\n');
}
