import { setTimeout as delay } from 'node:timers/promises';
import { exitCodeOf, isErrorCode } from '../../model/errors.ts';
import { type Context, command } from '../cli/command.ts';
import { parseName } from '../cli/parse.ts';
import { endedByForce, hasEnded } from '../recovery-rules.ts';
import { type RecoveryDocument, readDocument } from './document.ts';
import { rowOf } from './row.ts';
import { withSession } from './session.ts';
import { fullText, headline, listText } from './text.ts';
import { detached } from './wait.ts';

export const buildLooks = (context: Context) => [list(context), show(context), watch(context)];

const list = (context: Context) =>
	command('list')
		.description('every recovery that Temporal remembers, the newest first')
		.action(() =>
			withSession(context, async ({ recoveries }) => {
				const rows = (await recoveries.list()).map(rowOf);
				context.output.result({ recoveries: rows }, listText(rows));
			}),
		);

const show = (context: Context) =>
	command('show')
		.description('everything about one recovery')
		.argument('<name>', 'recovery', parseName)
		.action(name =>
			withSession(context, async session => {
				const document = await readDocument(session, name);
				context.output.result(document, fullText(document));
			}),
		);

const watch = (context: Context) =>
	command('watch')
		.description('follow a recovery to its end; Ctrl-C stops looking, nothing else')
		.argument('<name>', 'recovery', parseName)
		.action(name => follow(name, context));

const lookEveryMs = 1_000;

async function follow(name: string, context: Context): Promise<void> {
	const { output, signal } = context;
	await withSession(context, async session => {
		const progress = output.progress(name);
		let last = '';
		try {
			for (;;) {
				const document = await readDocument(session, name);
				const ended = hasEnded(document);
				const said = headline(document);
				if (said !== last)
					output.event({ type: ended ? 'summary' : 'status', ...document }, ended ? fullText(document) : said);
				last = said;
				if (ended) return context.exitWith(exitOf(document));
				progress.update({ ...localBytes(document), note: document.phase });
				await delay(lookEveryMs, undefined, { signal });
			}
		} catch (error) {
			if (!signal.aborted) throw error;
			throw detached(name, signal);
		} finally {
			progress.end();
		}
	});
}

/** A recovery that failed ends the watch with the exit code of its failure; one that was ended by force, with a conflict. */
export function exitOf({ phase, workflow, failure }: Pick<RecoveryDocument, 'phase' | 'workflow' | 'failure'>): number {
	if (endedByForce(workflow)) return exitCodeOf('phase_wrong');
	if (phase !== 'failed') return 0;
	return isErrorCode(failure?.code) ? exitCodeOf(failure.code) : 1;
}

function localBytes({ disks }: RecoveryDocument): { done: number; total: number } {
	const sum = (pick: (disk: RecoveryDocument['disks'][number]) => number) =>
		disks.reduce((all, disk) => all + pick(disk), 0);
	return { done: sum(disk => disk.restoredBytes), total: sum(disk => disk.sizeBytes) };
}
