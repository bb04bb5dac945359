import { setTimeout as delay } from 'node:timers/promises';
import { readBatch } from '../../client/batch/documents.ts';
import type { BatchDocument, BatchItemDocument } from '../../client/batch/documents.ts';
import { endedByForce } from '../../client/phases.ts';
import { type ErrorCode, exitCodeOf, RouseError } from '../../model/errors.ts';
import { withSession } from '../recover/session.ts';
import { isCtrlC } from '../recover/watch.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { readPatiently } from '../terminal/read-patiently.ts';
import { batchAnswer, batchHeadline, batchText, isLost, itemLine, itemsTable } from './text.ts';

export const buildWatch = (context: Context) =>
	command('watch')
		.description('follow a batch until it is over; Ctrl-C stops looking, nothing else')
		.argument('<name>', 'batch', parseName)
		.action(name => withSession(context, session => follow(name, () => readBatch(session, name), context)));

const readEveryMs = 2_000;

/**
 * A table that is drawn anew on a terminal, elsewhere a line for each machine that has changed, until the batch is over or a
 * person has seen enough.
 */
export async function follow(
	name: string,
	read: () => Promise<BatchDocument>,
	context: Context,
	everyMs = readEveryMs,
): Promise<void> {
	const { output, signal } = context;
	const screen = output.live();
	const lines = new Map<string, string>();
	try {
		for (;;) {
			const document = await readPatiently(read, everyMs, context);
			const over = document.phase === 'over' || endedByForce(document.workflow);
			if (screen && !over) screen.draw(liveText(document, screen));
			if (!screen) tellChanges(document, lines, context);
			if (over) {
				screen?.clear();
				const answer = batchAnswer(document);
				output.event({ type: 'summary', ...answer }, batchText(answer, output.columns));
				return context.exitWith(exitOf(document));
			}
			await delay(everyMs, undefined, { signal });
		}
	} catch (error) {
		if (!signal.aborted) throw error;
		if (!isCtrlC(signal)) throw detached(name, signal);
		// Nothing but Ctrl-C ends the look at what takes hours: it is no error.
		output.message(`batch ${name} goes on; look again: rouse batch watch ${name}`);
	}
}

/** The error of a person who stopped looking; nothing else stopped. */
export function detached(name: string, { reason }: AbortSignal): RouseError {
	return new RouseError('interrupted', `detached; batch ${name} goes on`, {
		hint: `look again: rouse batch watch ${name}`,
		details: reason instanceof RouseError ? reason.details : undefined,
	});
}

function tellChanges({ items }: BatchDocument, lines: Map<string, string>, { output }: Context): void {
	for (const item of items) {
		const line = itemLine(item);
		if (lines.get(item.name) === line) continue;
		lines.set(item.name, line);
		output.event({ type: 'item', ...item }, line);
	}
}

/** Those that a person may have to do something about come first, those that are done last. */
const importance: Readonly<Record<BatchItemDocument['state'], number>> = {
	parked: 0,
	refused: 0,
	not_ready: 0,
	starting: 1,
	waiting: 2,
	ended: 3,
	ready: 4,
	left_out: 5,
};

/** As many machines as there is room for, and how many more there are. */
export function liveText(document: BatchDocument, { rows, columns }: { rows: number; columns: number }): string {
	const { items } = document;
	const room = Math.max(1, rows - 4);
	const shown =
		items.length <= room ? items : items.toSorted((a, b) => importance[a.state] - importance[b.state]).slice(0, room);
	const more = items.length - shown.length;
	return [
		batchHeadline(document),
		itemsTable(shown, document.broker, columns),
		...(more > 0 ? [`and ${more} more: rouse batch show ${document.name}`] : []),
	].join('\n');
}

/**
 * 0 when every machine came to what was asked for. Else the code of what went wrong, where it was the same of all, or 1; 11
 * when nothing is wrong but that some wait for a person.
 */
export function exitOf({ items, workflow }: Pick<BatchDocument, 'items' | 'workflow'>): number {
	if (endedByForce(workflow)) return exitCodeOf('phase_wrong');
	const failed = items.filter(
		item =>
			item.state === 'refused' ||
			item.state === 'not_ready' ||
			isLost(item) ||
			(item.state === 'ended' && item.phase === 'failed'),
	);
	if (failed.length > 0) return exitOfAll(failed.map(item => (isLost(item) ? 'phase_wrong' : item.code)));
	if (items.some(({ state }) => state === 'parked')) return exitCodeOf('parked');
	return items.some(({ state }) => state === 'left_out') ? 1 : 0;
}

/** Of the code that all have, or 1. */
export function exitOfAll(codes: readonly (ErrorCode | null)[]): number {
	const exits = new Set(codes.map(code => (code === null ? 1 : exitCodeOf(code))));
	const [only = 1] = exits;
	return exits.size === 1 ? only : 1;
}
