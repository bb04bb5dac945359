import { setTimeout as delay } from 'node:timers/promises';
import { readDocument } from '../../client/documents.ts';
import { endedByForce, hasEnded } from '../../client/phases.ts';
import { exitCodeOf, isErrorCode, RouseError } from '../../model/errors.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { type RecoveryAnswer, recoveryAnswer } from './answer.ts';
import { withSession } from './session.ts';
import { fullText, headline, limitsText, waitsFor, whyItStands } from './text.ts';
import { detached } from './wait.ts';

export const buildWatch = (context: Context) =>
	command('watch')
		.description('follow a recovery to its end; Ctrl-C stops looking, nothing else')
		.argument('<name>', 'recovery', parseName)
		.action(name =>
			withSession(context, session =>
				follow(name, async () => recoveryAnswer(await readDocument(session, name)), context),
			),
		);

const readEveryMs = 1_000;

/** Says what `read` gives whenever it has changed, until the recovery has ended or a person has seen enough. */
export async function follow(name: string, read: () => Promise<RecoveryAnswer>, context: Context): Promise<void> {
	const { output, signal } = context;
	const progress = output.progress(name);
	let last = '';
	try {
		for (;;) {
			const answer = await read();
			const ended = hasEnded(answer);
			// Not the text: it tells how long ago something was.
			const news = [answer.parked, answer.stalled, answer.copyLimits.map(({ code }) => code), whoIsBefore(answer)];
			const state = JSON.stringify([headline(answer), ...news]);
			if (state !== last)
				output.event(
					{ type: ended ? 'summary' : 'status', ...answer },
					ended
						? fullText(answer)
						: [headline(answer), ...waits(answer), ...limits(answer), ...whyItStands(answer)].join('\n'),
				);
			last = state;
			if (ended) return context.exitWith(exitOf(answer));
			progress.update({ ...localBytes(answer), note: answer.phase });
			await delay(readEveryMs, undefined, { signal });
		}
	} catch (error) {
		if (!signal.aborted) throw error;
		if (!isCtrlC(signal)) throw detached(name, signal);
		// Nothing but Ctrl-C ends the look at what takes hours: it is no error.
		output.message(`recovery ${name} goes on; look again: rouse recover watch ${name}`);
	} finally {
		progress.end();
	}
}

export function waits(answer: Pick<RecoveryAnswer, 'broker'>): string[] {
	return waitsFor(answer).map(text => `  waits for ${text}`);
}

function limits(answer: RecoveryAnswer): string[] {
	return limitsText(answer).map(text => `  copy: ${text}`);
}

/** What of a wait is news: estimates change with each look. */
export function whoIsBefore({ broker }: Pick<RecoveryAnswer, 'broker'>): unknown {
	return broker?.waiting.map(({ position, lacks }) => [position, lacks.map(({ resource, why }) => [resource, why])]);
}

export function isCtrlC({ reason }: AbortSignal): boolean {
	return reason instanceof RouseError && reason.details?.['signal'] === 'SIGINT';
}

/** A recovery that failed ends the watch with the exit code of its failure; one that was ended by force, with a conflict. */
export function exitOf({ phase, workflow, failure }: Pick<RecoveryAnswer, 'phase' | 'workflow' | 'failure'>): number {
	if (endedByForce(workflow)) return exitCodeOf('phase_wrong');
	if (phase !== 'failed') return 0;
	return isErrorCode(failure?.code) ? exitCodeOf(failure.code) : 1;
}

function localBytes({ disks }: RecoveryAnswer): { done: number; total: number } {
	const sum = (pick: (disk: RecoveryAnswer['disks'][number]) => number) =>
		disks.reduce((all, disk) => all + pick(disk), 0);
	return { done: sum(disk => disk.restoredBytes), total: sum(disk => disk.sizeBytes) };
}
