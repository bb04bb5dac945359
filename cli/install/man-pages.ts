/** Manual pages, one for each command, made of the commands themselves: man(7) of groff and mandoc. Pure. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { errorCodes, exitCodeOf } from '../../model/errors.ts';

/** What each page begins with; a page without it is not ours. */
export const madeByRouse = '.\\" Made by rouse install.\n';

export interface PageFrame {
	version: string;
	/** As YYYY-MM-DD: mandoc asks for one. */
	date: string;
}

/** By the name of the file: `rouse.1`, `rouse-recover-start.1`. */
export function manPages(program: CommandUnknownOpts, frame: PageFrame): Map<string, string> {
	return new Map(pathsOf(program, [program.name()]).map(each => [`${each.path.join('-')}.1`, page(each, frame)]));
}

interface Place {
	path: string[];
	command: CommandUnknownOpts;
}

function pathsOf(command: CommandUnknownOpts, path: string[]): Place[] {
	return [{ path, command }, ...command.commands.flatMap(child => pathsOf(child, [...path, child.name()]))];
}

function page({ path, command }: Place, { version, date }: PageFrame): string {
	const help = command.createHelp();
	const name = path.join('-');
	const global = help.visibleGlobalOptions(command);
	const entries = <T>(all: readonly T[], term: (one: T) => string, text: (one: T) => string) =>
		all.map(one => entry(term(one), text(one))).join('');
	const option = [help.optionTerm.bind(help), help.optionDescription.bind(help)] as const;
	const argument = [help.argumentTerm.bind(help), help.argumentDescription.bind(help)] as const;
	return [
		madeByRouse,
		`.TH ${name.toUpperCase()} 1 ${date} "rouse ${version}" Rouse\n`,
		section('NAME', `${escaped(name)} \\- ${escaped(command.description())}\n`),
		section('SYNOPSIS', bold(help.commandUsage(command))),
		section('ARGUMENTS', entries(help.visibleArguments(command), ...argument)),
		section('COMMANDS', commands(path, command)),
		section('OPTIONS', entries(help.visibleOptions(command), ...option)),
		section('OPTIONS OF ALL COMMANDS', entries(global, ...option)),
		section('NOTES', verbatim(afterHelp(command))),
		path.length === 1 ? section('EXIT STATUS', exitCodes()) : '',
		section('SEE ALSO', seeAlso(path, command)),
	].join('');
}

function section(title: string, text: string): string {
	return text === '' ? '' : `.SH ${title}\n${text}`;
}

function entry(term: string, text: string): string {
	return `.TP\n${bold(term)}${line(text)}`;
}

function commands(path: readonly string[], command: CommandUnknownOpts): string {
	return command.commands.map(child => entry([...path, child.name()].join(' '), child.description())).join('');
}

/** What `addHelpText` has added to the help, as it stands there. */
function afterHelp(command: CommandUnknownOpts): string {
	let text = '';
	const before = command.configureOutput();
	command.configureOutput({ ...before, writeOut: part => (text += part) });
	command.outputHelp();
	command.configureOutput(before);
	return text.slice(command.helpInformation().length).trim();
}

function exitCodes(): string {
	const codes = new Map<number, string[]>();
	for (const code of errorCodes) codes.set(exitCodeOf(code), [...(codes.get(exitCodeOf(code)) ?? []), code]);
	const sorted = [...codes].toSorted(([a], [b]) => a - b);
	return entry('0', 'done') + sorted.map(([exit, names]) => entry(String(exit), names.join(', '))).join('');
}

function seeAlso(path: readonly string[], command: CommandUnknownOpts): string {
	const above = path.length > 1 ? [path.slice(0, -1)] : [];
	const pages = [...above, ...command.commands.map(child => [...path, child.name()])];
	return pages.map((words, at) => `.BR ${escaped(words.join('-'))} (1)${at < pages.length - 1 ? ',' : ''}\n`).join('');
}

/** Example and notes of the help have their own lines. */
function verbatim(text: string): string {
	if (text === '') return '';
	return `.nf\n${text.split('\n').map(line).join('')}.fi\n`;
}

function bold(text: string): string {
	return `.B ${escaped(text).replaceAll('"', '\\(dq')}\n`;
}

/** A line that begins with a dot or an apostrophe would be a request; an empty one is no text. */
function line(text: string): string {
	if (text === '') return '.sp\n';
	return `${/^[.']/.test(text) ? '\\&' : ''}${escaped(text)}\n`;
}

/** A hyphen is one that can be typed, and copied. */
function escaped(text: string): string {
	return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq');
}
