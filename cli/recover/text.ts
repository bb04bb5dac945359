import { stepText } from '../../client/order-text.ts';
import { endedByForce, hasEnded } from '../../client/phases.ts';
import type { Forward, PlannedNic } from '../../model/recovery.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { waitingText } from '../broker/waiting-text.ts';
import { formatDuration, formatTable } from '../terminal/format.ts';
import { formatTime } from '../terminal/format-time.ts';
import { checkText } from './parse-ready.ts';
import { lastResortText, sourceText } from './next-text.ts';
import type { RecoveryAnswer, RowAnswer } from './answer.ts';
import { terminalLine } from '../../system/terminal-text.ts';

type Stand = Pick<RecoveryAnswer, 'name' | 'phase' | 'workflow' | 'power' | 'host' | 'machineName'> & {
	parked: { code: string } | null;
	stalled?: { reason: string } | null;
	removed?: boolean;
};

/** One sentence: what is the case. */
export function headline(document: Stand): string {
	const { name, phase, workflow, parked, stalled, power, host, machineName } = document;
	const ended = endedByForce(workflow) ? `, ${workflow.toLowerCase()} in Temporal` : '';
	const state = `${phase}${parked ? `, parked (${parked.code})` : stalled ? ', stalled' : ''}${ended}`;
	if (document.removed) return `${name}: ${state}, its machine was removed from ${host ?? 'its host'}`;
	const machine = machineName && machineName !== name ? ` as ${machineName}` : '';
	return `${name}: ${state}${host ? ` on ${host}${machine}` : ''}${power ? `, power ${power}` : ''}`;
}

/** Why a recovery does not go on, since when, and what to do; nothing when it does. */
export function whyItStands({ parked, stalled }: Pick<RecoveryAnswer, 'parked' | 'stalled'>): string[] {
	if (parked) return [`  parked since ${formatTime(parked.since)}: ${parked.reason}`, `  next: ${parked.next}`];
	if (stalled)
		return [
			`  stalled since ${formatTime(stalled.since)}: ${stalled.reason}`,
			`  what was written is safe; ${sourceText}`,
		];
	return [];
}

/** Why the broker lets it wait; nothing when it does not. */
export function waitsFor({ broker }: Pick<RecoveryAnswer, 'broker'>): string[] {
	return broker ? broker.waiting.map(waiting => waitingText(waiting, broker)) : [];
}

/** What holds its copy back; nothing when it copies as fast as it can, or not at all. */
export function limitsText({ copyLimits }: Pick<RecoveryAnswer, 'copyLimits'>): string[] {
	return copyLimits.map(({ code, bytesPerSecond, reason }) =>
		code === 'repository' ? reason : `${formatBytes(bytesPerSecond)}/s: ${reason}`,
	);
}

/** What `rouse recover show` prints. */
export function fullText(document: RecoveryAnswer): string {
	const { machine, restorePoint, parked, failure, incidents, consoleSocket, hostAnswers, statusFrom } = document;
	const lines = [headline(document)];
	const row = (label: string, value: string) => lines.push(`  ${label.padEnd(10)} ${terminalLine(value)}`);
	if (machine && restorePoint) row('from', `${machine}@${restorePoint}`);
	if (failure) row('failed', `${failure.message} (${failure.code})${failure.hint ? `; ${failure.hint}` : ''}`);
	if (parked) row('parked', `since ${formatTime(parked.since)}: ${parked.reason}`);
	if (document.stalled)
		row('stalled', `since ${formatTime(document.stalled.since)}: ${document.stalled.reason}; what was written is safe`);
	if (document.unpinned)
		row(
			'unpinned',
			`since ${formatTime(document.unpinned.since)}: nothing keeps the restore point from being removed: ${document.unpinned.reason}; it is tried again`,
		);
	for (const text of waitsFor(document)) row('waits for', text);
	for (const text of limitsText(document)) row('copy', text);
	const readiness = readinessText(document);
	if (readiness !== undefined) row('ready', readiness);
	row('times', timesText(document));
	for (const [index, disk] of document.disks.entries())
		row(
			`disk${index}`,
			`${share(disk.restoredBytes, disk.sizeBytes)} of ${formatBytes(disk.sizeBytes)} local, ${disk.path}`,
		);
	if (document.firstReads) row('ahead', firstReadsText(document.firstReads));
	for (const [index, nic] of document.nics.entries()) row(`nic${index}`, nicText(nic));
	if (document.unmapped.length > 0)
		row('note', `nobody reaches it there; a start says where a network leads: ${networkOptions(document.unmapped)}`);
	for (const forward of document.forwards) row('forward', forwardText(forward));
	if (consoleSocket) row('console', consoleSocket);
	for (const { step, attempt, running, lastFailure, says } of document.pending) {
		const failed = lastFailure ? `; failed before: ${lastFailure.message}` : '';
		row(
			'step',
			`${stepText(step)}, attempt ${attempt}, ${running ? `at work${says ? `: ${says}` : ''}` : 'waits for a worker or its next attempt'}${failed}`,
		);
	}
	if (incidents.length > 0) row('incidents', `${incidents.length}, last: ${incidents.at(-1)?.message} (rouse audit)`);
	if (statusFrom === 'memo' && document.pending.length > 0)
		row('note', 'no control worker answered: as of the last change');
	if (document.hostElsewhere && !hasEnded(document))
		row('note', `its host is another machine: this is what the worker of ${document.host} has reported`);
	else if (!hostAnswers && document.recoveryId && !mayBeNowhere(document))
		row(
			'note',
			`the supervisor of the host tells nothing of it: rouse up, rouse host list; ${lastResortText(document.name)}`,
		);
	lines.push(`Next: ${document.next}`);
	return lines.join('\n');
}

/** Its host need not know of it: it is over there, or has not begun while the broker lets it wait. */
function mayBeNowhere(document: RecoveryAnswer): boolean {
	const { phase, broker } = document;
	return phase === 'abandoning' || hasEnded(document) || (phase === 'waiting' && waitsFor({ broker }).length > 0);
}

/** `--network lan=NAME (NAME: rouse host list)` */
function networkOptions(networks: readonly string[]): string {
	return `${networks.map(network => `--network ${network}=NAME`).join(' ')} (rouse host list has the names)`;
}

function firstReadsText({ passed, chunks, fetched, drill, at }: NonNullable<RecoveryAnswer['firstReads']>): string {
	return `${passed} of ${chunks} chunks that it read first in drill ${drill} of ${formatTime(at)}; ${fetched} fetched before it asked`;
}

/** Both as in a plan. */
export function nicText({ mac, network, target }: PlannedNic): string {
	const where = target === 'none' ? 'link down, it leads nowhere' : `leads to ${target}`;
	return `${mac}, of network ${network}: ${where}`;
}

export function forwardText({ address, port, guestPort }: Forward): string {
	return `${address}:${port} of the host leads to port ${guestPort} of the guest`;
}

export function listText(rows: readonly RowAnswer[], columns?: number): string {
	if (rows.length === 0) return 'No recoveries yet. Start one: rouse recover start MACHINE@latest';
	const table = formatTable(
		['NAME', 'FROM', 'HOST', 'PHASE', 'POWER', 'REQUESTED'],
		rows.map(row => [
			row.name,
			row.machine ? `${row.machine}@${row.restorePoint}` : '',
			row.host ?? '',
			`${row.phase}${row.parked ? ', parked' : row.stalled ? ', stalled' : ''}${endedByForce(row.workflow) ? `, ${row.workflow.toLowerCase()}` : ''}`,
			row.power ?? '',
			formatTime(row.requestedAt),
		]),
		columns,
	);
	return [
		table,
		...rows.flatMap(row => whyItStands(row).map((line, at) => (at === 0 ? `${row.name}: ${line.trim()}` : line))),
	].join('\n');
}

/** Nothing for one that nobody is asked about, nor before it is powered on; when it became ready is among its times. */
function readinessText({ phase, workflow, ready, readiness }: RecoveryAnswer): string | undefined {
	if (!ready || !readiness || readiness.is === 'ready') return undefined;
	const wanted = checkText(ready.check);
	if (readiness.is === 'not_ready') return `not in time, when ${wanted}: ${readiness.reason} (${readiness.code})`;
	if (readiness.until === null || hasEnded({ phase, workflow })) return undefined;
	return `when ${wanted}; asked until ${formatTime(readiness.until)}`;
}

function timesText({ timings }: RecoveryAnswer): string {
	const since = (at: string) => formatDuration(Date.parse(at) - Date.parse(timings.requestedAt));
	const parts = [`requested ${formatTime(timings.requestedAt)}`];
	if (timings.runningAt) parts.push(`running after ${since(timings.runningAt)}`);
	if (timings.readyAt && timings.readyAt !== timings.runningAt) parts.push(`ready after ${since(timings.readyAt)}`);
	if (timings.migratedAt) parts.push(`migrated after ${since(timings.migratedAt)}`);
	if (timings.switchPauseMs !== undefined)
		parts.push(`switched with a pause of ${formatDuration(timings.switchPauseMs)}`);
	if (timings.finishedAt) parts.push(`finished after ${since(timings.finishedAt)}`);
	return parts.join(', ');
}

function share(part: number, whole: number): string {
	return `${whole === 0 ? 100 : Math.min(100, Math.floor((part / whole) * 100))} %`;
}
