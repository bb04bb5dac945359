import type { BatchDocument, BatchItemDocument } from '../../client/batch/documents.ts';
import type { BatchSummary } from '../../client/batches.ts';
import { endedByForce } from '../../client/phases.ts';
import type { ItemState } from '../../model/batch-view.ts';
import { terminalPhases } from '../../model/recovery.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { waitingText } from '../broker/waiting-text.ts';
import { formatTable } from '../terminal/format.ts';
import { formatTime } from '../terminal/format-time.ts';

/** `batch show --json`; docs/cli.md lists the fields. */
export function batchAnswer(document: BatchDocument) {
	return { ...document, next: nextText(document) };
}
export type BatchAnswer = ReturnType<typeof batchAnswer>;

const stateWords: Readonly<Record<ItemState, string>> = {
	waiting: 'waiting',
	starting: 'on the way',
	ready: 'ready',
	not_ready: 'not ready in time',
	parked: 'parked',
	ended: 'over',
	left_out: 'left out',
	refused: 'refused',
};

/** One sentence: what is the case. */
export function batchHeadline({ name, phase, workflow, items }: BatchDocument): string {
	const counts = new Map<string, number>();
	for (const item of items) counts.set(stateWord(item), (counts.get(stateWord(item)) ?? 0) + 1);
	const parts = [...counts].map(([word, number]) => `${number} ${word}`);
	const ended = endedByForce(workflow) ? `, ${workflow.toLowerCase()} in Temporal` : '';
	const machines = `${items.length} ${items.length === 1 ? 'machine' : 'machines'}`;
	return `${name}: ${phase}${ended}; ${machines}: ${parts.join(', ')}`;
}

/** Of one that is over, how. */
function stateWord(item: Pick<BatchItemDocument, 'state' | 'phase'>): string {
	if (isLost(item)) return 'lost';
	return item.state === 'ended' && item.phase !== null ? item.phase : stateWords[item.state];
}

/** Its workflow was ended by force, or Temporal does not know it any more: its machine may run all the same. */
export function isLost({ state, phase }: Pick<BatchItemDocument, 'state' | 'phase'>): boolean {
	return state === 'ended' && phase !== null && !terminalPhases.includes(phase);
}

/** What `batch show` prints. */
export function batchText(answer: BatchAnswer, columns?: number): string {
	const { startedAt, endedAt, window, requestedBy, reason } = answer;
	const times = `started ${formatTime(startedAt)}${requestedBy === null ? '' : ` by ${requestedBy}`}${endedAt === null ? '' : `, over ${formatTime(endedAt)}`}`;
	return [
		batchHeadline(answer),
		`  ${terminalLine(times)}, at most ${window} on their way at once${reason ? terminalLine(`: ${reason}`) : ''}`,
		itemsTable(answer.items, answer.broker, columns),
		`Next: ${answer.next}`,
	].join('\n');
}

export function itemsTable(
	items: readonly BatchItemDocument[],
	broker: BatchDocument['broker'],
	columns?: number,
): string {
	return formatTable(
		['NAME', 'MACHINE', 'GROUP', 'HOST', 'STATE', 'PHASE', 'LOCAL', 'WAITING FOR'],
		items.map(item => [
			item.name,
			item.machine,
			item.group,
			item.host ?? '',
			stateText(item),
			item.phase ?? '',
			localText(item),
			whyText(item, broker),
		]),
		columns,
	);
}

function stateText(item: BatchItemDocument): string {
	return `${stateWord(item)}${item.found ? ' (was there)' : ''}`;
}

function localText({ sizeBytes, restoredBytes }: BatchItemDocument): string {
	if (sizeBytes === null || restoredBytes === null) return '';
	return `${sizeBytes === 0 ? 100 : Math.min(100, Math.floor((restoredBytes / sizeBytes) * 100))} %`;
}

function whyText({ waitsFor, lease, code, reason }: BatchItemDocument, broker: BatchDocument['broker']): string {
	if (lease && broker) return waitingText(lease, broker);
	if (waitsFor !== null) return waitsFor;
	return code === null ? (reason ?? '') : `${code}: ${reason ?? ''}`;
}

/** What it is at, or what went wrong, in a line. Of what it waits for only what lasts: places in a queue change all the time. */
export function itemLine(item: BatchItemDocument): string {
	const known = item.phase !== null && item.state !== 'waiting' && item.state !== 'ended';
	const phase = known ? `, ${item.phase}` : '';
	const host = item.host === null ? '' : ` on ${item.host}`;
	const why = whyText({ ...item, lease: null }, null);
	return `${item.name}: ${stateText(item)}${phase}${host}${why === '' ? '' : `: ${why}`}`;
}

function nextText({ name, phase, workflow, items }: BatchDocument): string {
	const steps: string[] = [];
	if (phase !== 'over' && !endedByForce(workflow)) steps.push(`rouse batch watch ${name}`);
	if (phase === 'over' && items.some(isUndone))
		steps.push(`begin failed, left out and parked ones again: rouse batch retry ${name}`);
	const twice = items.filter(mayRunTwice).map(item => item.name);
	if (twice.length > 0)
		steps.push(
			`where no host has the machine (rouse host list on each): rouse batch retry ${name} --again ${twice.join(',')}`,
		);
	if (items.some(isNameOfOver))
		steps.push('those whose name one that is over has: the same rouse batch start with --again');
	if (items.some(isLost)) steps.push('lost ones: rouse recover adopt NAME');
	steps.push(`one of them: rouse recover show NAME`);
	return steps.join('; ');
}

/** What `retry` is for. */
function isUndone(item: BatchItemDocument): boolean {
	const { state, phase } = item;
	if (mayRunTwice(item)) return false;
	if (state === 'refused') return !isNameOfOver(item);
	return ['parked', 'left_out', 'not_ready'].includes(state) || (state === 'ended' && phase === 'failed');
}

/** A host may have its machine without its history knowing: only a person says that it is to be once more. */
function mayRunTwice({ state, code }: BatchItemDocument): boolean {
	return (state === 'refused' || state === 'ended') && code === 'place_unknown';
}

/** A retry would find it again: it was discarded, given up or finished, and only a person says that it is to be once more. */
function isNameOfOver({ state, code, phase }: BatchItemDocument): boolean {
	return state === 'refused' && code === 'name_conflict' && phase !== null && terminalPhases.includes(phase);
}

export function batchListText(batches: readonly BatchSummary[], columns?: number): string {
	if (batches.length === 0) return 'No batches yet. Start one: rouse batch start FILE';
	return formatTable(
		['NAME', 'MACHINES', 'STATE', 'STARTED', 'BY'],
		batches.map(({ name, items, workflow, startedAt, requestedBy }) => [
			name,
			items === null ? '' : String(items),
			workflow === 'RUNNING' ? 'under way' : workflow === 'COMPLETED' ? 'over' : workflow.toLowerCase(),
			formatTime(startedAt),
			requestedBy ?? '',
		]),
		columns,
	);
}
