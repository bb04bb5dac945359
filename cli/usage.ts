/** What commander refuses of a command line, in the words that all errors have. */
import { CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { RouseError } from '../model/errors.ts';

/** `path`: the command that was meant, as {@link commandPath} finds it. */
export function usageError(error: CommanderError, path: string): RouseError {
	if (error.code === 'commander.help')
		return new RouseError('usage', 'a command is missing', { hint: `${path} --help lists them` });
	const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n');
	const suggestion = more.join(' ').trim();
	return new RouseError('usage', inOurWords(first), {
		hint: suggestion || `${path} --help shows what is accepted`,
	});
}

/** `rouse recover start`: as far as the words of the line are commands. */
export function commandPath(program: CommandUnknownOpts, line: readonly string[]): string {
	let at = program;
	const path = [program.name()];
	for (const word of line) {
		if (word.startsWith('-')) continue;
		const next = at.commands.find(one => one.name() === word);
		if (next === undefined) break;
		path.push(word);
		at = next;
	}
	return path.join(' ');
}

/** Commander's sentences (v14, lib/command.js and lib/option.js) and ours. */
const sentences: readonly [theirs: RegExp, ours: (...parts: string[]) => string][] = [
	[
		/^option '(?:-\w, )?(--[\w-]+).*' argument '(.*)' is invalid\. Allowed choices are (.*?)\.$/s,
		(option, given, choices) => `${option}: "${given}" is none of ${choices}`,
	],
	[/^option '(?:-\w, )?(--[\w-]+).*?' argument '.*' is invalid\. (.*?)\.?$/s, (option, why) => `${option}: ${why}`],
	[
		/^command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*?)\.$/s,
		(given, argument, choices) => `${argument.toUpperCase()}: "${given}" is none of ${choices}`,
	],
	[/^command-argument value '.*' is invalid for argument '.*?'\. (.*?)\.?$/s, why => why],
	[
		/^required option '(--[\w-]+) <(.*)>' not specified$/,
		(option, value) => `${option} ${value.toUpperCase()} is missing`,
	],
	[
		/^option '(?:-\w, )?(--[\w-]+) <(.*)>' argument missing$/,
		(option, value) => `${option} takes a value: ${option} ${value.toUpperCase()}`,
	],
	[/^missing required argument '(.*)'$/, argument => `${argument.toUpperCase()} is missing`],
];

function inOurWords(message: string): string {
	for (const [theirs, ours] of sentences) {
		const [whole, ...parts] = theirs.exec(message) ?? [];
		if (whole !== undefined) return ours(...parts);
	}
	return message;
}
