import { setTimeout as delay } from 'node:timers/promises';
import { formatBytes } from '../../../model/format-bytes.ts';
import { RouseError } from '../../../model/errors.ts';
import { isCtrlC, waits, whoIsBefore } from '../../recover/watch.ts';
import type { Context } from '../../terminal/command.ts';
import { readPatiently } from '../../terminal/read-patiently.ts';
import { exitOf, type ImportAnswer, importHeadline, importText, isOver } from './text.ts';

const readEveryMs = 1_000;

/** A line whenever it is at another step, a bar while it copies; then how it ended, also as exit code. */
export async function follow(source: string, read: () => Promise<ImportAnswer>, context: Context): Promise<void> {
	const { output, signal } = context;
	const bar = output.progress(`backing up ${source}`);
	let last = '';
	try {
		for (;;) {
			const answer = await readPatiently(read, readEveryMs, context);
			if (isOver(answer)) {
				output.event({ type: 'summary', ...answer }, importText(answer));
				return context.exitWith(exitOf(answer));
			}
			const line = importHeadline(answer);
			const news = JSON.stringify([line, whoIsBefore(answer)]);
			if (news !== last) output.event({ type: 'status', ...answer }, [line, ...waits(answer)].join('\n'));
			last = news;
			const { progress } = answer;
			if (progress !== null)
				bar.update({
					done: progress.doneBytes,
					total: progress.totalBytes,
					note: `${formatBytes(progress.readBytes)} read, ${formatBytes(progress.newBytes)} new`,
				});
			await delay(readEveryMs, undefined, { signal });
		}
	} catch (error) {
		if (!signal.aborted) throw error;
		const again = `look again: rouse backup watch ${source}`;
		if (!isCtrlC(signal))
			throw new RouseError('interrupted', `detached; the backup of ${source} goes on`, { hint: again });
		output.message(`the backup of ${source} goes on; ${again}`);
	} finally {
		bar.end();
	}
}
