import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { withSession } from '../recover/session.ts';
import { isCtrlC } from '../recover/watch.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { readPatiently } from '../terminal/read-patiently.ts';
import { type DrillAnswer, drillAnswer, drillText, exitOf, isOver, machineLine } from './text.ts';

export const buildWatch = (context: Context) =>
	command('watch')
		.description('follow a drill until it is over; Ctrl-C stops looking, nothing else')
		.argument('<name>', 'drill', parseName)
		.action(name =>
			withSession(context, session => follow(name, async () => drillAnswer(await session.drills.view(name)), context)),
		);

const readEveryMs = 1_000;

/** A line for each machine that has changed, until the drill is over; then how it ended, also as exit code. */
export async function follow(name: string, read: () => Promise<DrillAnswer>, context: Context): Promise<void> {
	const { output, signal } = context;
	const lines = new Map<string, string>();
	try {
		for (;;) {
			const answer = await readPatiently(read, readEveryMs, context);
			for (const machine of answer.machines) {
				const line = machineLine(machine);
				if (lines.get(machine.name) !== line) output.event({ type: 'machine', ...machine }, line);
				lines.set(machine.name, line);
			}
			if (isOver(answer)) {
				output.event({ type: 'summary', ...answer }, drillText(answer, output.columns));
				return context.exitWith(exitOf(answer));
			}
			await delay(readEveryMs, undefined, { signal });
		}
	} catch (error) {
		if (!signal.aborted) throw error;
		if (!isCtrlC(signal))
			throw new RouseError('interrupted', `detached; drill ${name} goes on`, {
				hint: `look again: rouse drill watch ${name}`,
			});
		output.message(`drill ${name} goes on; look again: rouse drill watch ${name}`);
	}
}
