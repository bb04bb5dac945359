import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import type { Readiness } from '../../model/readiness.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { hintOf } from '../hints.ts';
import { formatDuration, formatTable } from '../terminal/format.ts';
import { formatLocalTime } from '../terminal/format-time.ts';
import type { BatchPlanDocument, PlannedItem } from './plan-document.ts';

const onFailure: Readonly<Record<BatchPlanDocument['onFailure'], string>> = {
	continue: 'when one fails the others go on',
	'stop-starting': 'when one fails nothing more starts',
	'discard-unstarted': 'when one fails nothing more starts, and those that have not run are taken back',
};

/** What `batch start --dry-run` prints. */
export function batchPlanText(plan: BatchPlanDocument, columns?: number): string {
	const { name, items, groups, window } = plan;
	return [
		`plan of batch ${name}: ${count(items.length, 'machine')} in ${count(groups.length, 'group')}, at most ${window} on their way at once; ${onFailure[plan.onFailure]}`,
		...orderLines(plan),
		itemTable(items, columns),
		...demandLines(plan),
		...plan.conflicts.map(({ text }) => `  conflict   ${terminalLine(text)}`),
		...items.flatMap(problemLines),
		...warningLines(plan),
		...estimateLines(plan),
		'Nothing was changed. Without --dry-run the batch starts.',
	].join('\n');
}

function orderLines({ waves, groups, items }: BatchPlanDocument): string[] {
	return waves.map((wave, at) => {
		const texts = wave.map(name => {
			const after = groups.find(group => group.name === name)?.after ?? [];
			const machines = items.filter(({ group }) => group === name).length;
			return `${name} (${count(machines, 'machine')}${after.length > 0 ? `, when ${after.join(', ')} ${after.length > 1 ? 'are' : 'is'} ready` : ''})`;
		});
		return `  ${`order ${at + 1}`.padEnd(10)} ${texts.join(', ')}`;
	});
}

function itemTable(items: readonly PlannedItem[], columns: number | undefined): string {
	return formatTable(
		['NAME', 'FROM', 'GROUP', 'HOST', 'SIZE', 'DISKS', 'DATA', 'PRIORITY', 'READY WHEN', 'NOW'],
		items.map(item => [
			item.name,
			`${item.machine}@${item.restorePoint}`,
			item.group,
			item.hosts.join(' or '),
			`${item.cpus} vCPU, ${formatBytes(item.memoryMiB * 2 ** 20)}`,
			formatBytes(item.diskBytes),
			formatBytes(item.dataBytes),
			`${item.priority}${item.deadline === null ? '' : `, by ${formatLocalTime(item.deadline)}`}`,
			readinessText(item.readiness),
			nowText(item),
		]),
		columns,
	);
}

function readinessText(readiness: Readiness | null): string {
	if (readiness === null) return 'powered on';
	const { check, timeoutMs } = readiness;
	const what = {
		agent: () => 'agent',
		ping: () => `ping ${check.by === 'ping' ? check.address : ''}`,
		tcp: () => `tcp ${check.by === 'tcp' ? `${check.address}:${check.port}` : ''}`,
		command: () => `command ${check.by === 'command' ? check.name : ''}`,
	}[check.by]();
	return `${what} within ${formatDuration(timeoutMs)}`;
}

function nowText({ existing, problem }: PlannedItem): string {
	if (existing === 'attached') return 'under way';
	if (existing === 'already_finished') return 'finished';
	return problem ? 'would not start' : '';
}

function problemLines({ name, problem }: PlannedItem): string[] {
	if (!problem) return [];
	const hint = hintOf(RouseError.fromDocument(problem));
	return [`  problem    ${terminalLine(`${name}: ${problem.message}${hint ? `; ${hint}` : ''}`)}`];
}

function demandLines({ demands }: BatchPlanDocument): string[] {
	return demands.map(({ hosts, machines, neededBytes, freeBytes, memoryMiB, freeMemoryMiB }) => {
		const mebibyte = 2 ** 20;
		const space = `${formatBytes(neededBytes)} of disks (${freeBytes === null ? 'free space not known' : `${formatBytes(freeBytes)} free`})`;
		const memory = `${formatBytes(memoryMiB * mebibyte)} of memory (${freeMemoryMiB === null ? 'free memory not known' : `${formatBytes(freeMemoryMiB * mebibyte)} free`})`;
		const short = freeBytes !== null && freeBytes < neededBytes ? ': too little space for all of them' : '';
		return `  needed     ${count(machines, 'machine')} on ${hosts.join(' or ')}: ${space}, ${memory}${short}`;
	});
}

/** The same of many machines is said once. */
function warningLines({ items, warnings }: BatchPlanDocument): string[] {
	const whose = new Map<string, string[]>();
	for (const item of items)
		for (const warning of item.warnings) whose.set(warning, [...(whose.get(warning) ?? []), item.name]);
	const ofItems = [...whose].map(([warning, [first = '', ...more]]) =>
		more.length === 0 ? `${first}: ${warning}` : `${warning} (${more.length + 1} machines)`,
	);
	return [...warnings, ...ofItems].map(warning => `  warning    ${terminalLine(warning)}`);
}

function estimateLines({ estimate, items }: BatchPlanDocument): string[] {
	const { readyMs, readyAtMostMs, withoutPlace, bound, localMs, assumed } = estimate;
	const atMost = readyAtMostMs > readyMs ? ` (${formatDuration(readyAtMostMs)} if checks pass in the last moment)` : '';
	const local = localMs === null ? '' : `; all data local after about ${formatDuration(localMs)}`;
	const took = `taken for granted: ${formatDuration(assumed.startMs)} from its turn to power-on, ${formatDuration(assumed.readyMs)} to a check that passes, ${formatBytes(assumed.copyBytesPerSecond)} a second onto each host; what else hosts and repositories bear comes on top`;
	const which = withoutPlace === 0 ? 'all' : `${items.length - withoutPlace} of ${count(items.length, 'machine')}`;
	const waits =
		withoutPlace === 0 ? [] : [`${count(withoutPlace, 'machine')} without a place until others are finished`];
	const bounds = bound === null ? [] : [`bound by ${bound === 'window' ? 'the window' : bound}`];
	const more = [...waits, ...bounds].map(text => `; ${text}`).join('');
	return [
		`  estimate   ${which} ready after about ${formatDuration(readyMs)}${atMost}${local}${more}`,
		`             ${took}`,
	];
}

function count(number: number, what: string): string {
	return `${number} ${what}${number === 1 ? '' : 's'}`;
}
