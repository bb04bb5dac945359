/**
 * How a command is written. `cli/commands/NOUN.ts` exports `build(context: Context)`, which gives a commander command
 * (with its verbs); `cli/program.ts` has a line for it and loads the file only when the noun is used.
 *  - Options are commander's; `--json`, `--quiet` and `--debug` are the program's and known already.
 *  - What is slow to import (Temporal, movers) is imported inside the action.
 *  - The answer: `context.output.result(document, text)`, once. For long work that says several things:
 *    `context.output.event({type, …}, text)`. Both go to stdout, as JSON or as text. Sizes in bytes, times RFC 3339.
 *  - A message: `context.output.message('…')`. Progress: `const bar = context.output.progress('importing')`, `bar.update({done,
 *    total})`, `bar.end()` in a finally. Both go to stderr, one line each 10 s when it is no terminal.
 *  - Errors: throw a RouseError; the frame prints it and ends with its exit code. `context.exitWith(3)` is for an
 *    answer that is none of success and error.
 *  - Ctrl-C and SIGTERM abort `context.signal`; hand it on. A second one ends the process at once.
 *  - `chooseRepository(context, options.repo)` (cli/repository-choice.ts) turns `--repo DIR|NAME` into a directory.
 */
import { Command } from '@commander-js/extra-typings';
import type { Output } from './output.ts';

export interface Context {
	readonly output: Output;
	readonly env: NodeJS.ProcessEnv;
	/** Aborted by the first SIGINT or SIGTERM. */
	readonly signal: AbortSignal;
	/** The process ends with this code unless an error says otherwise. */
	readonly exitWith: (code: number) => void;
}

/** A command with the manners all share: errors are thrown, extra arguments refused, global options in the help. */
export function command(name: string): Command {
	return new Command(name)
		.exitOverride()
		.allowExcessArguments(false)
		.showSuggestionAfterError(true)
		.configureHelp({ showGlobalOptions: true });
}
