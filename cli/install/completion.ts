/** Completion for shells, made of the commands themselves. Pure. */
import type { CommandUnknownOpts } from '@commander-js/extra-typings';

/** What may follow a command: its verbs and options. `at`: the words that lead to it, without `rouse`. */
interface Place {
	at: string;
	words: string[];
}

/** bash(1), Programmable Completion; found by bash-completion as `completions/rouse`. */
export function bashCompletion(program: CommandUnknownOpts): string {
	const places = placesOf(program);
	return [
		'# Made by rouse install.',
		'_rouse() {',
		"	local at='' words='' i",
		'	for ((i = 1; i < COMP_CWORD; i++)); do',
		// Options and names lead nowhere.
		`		case "$at \${COMP_WORDS[i]}" in ${waysIn(places)}) at="$at \${COMP_WORDS[i]}" ;; esac`,
		'	done',
		'	case "$at" in',
		...places.map(({ at, words }) => `	'${at}') words='${words.join(' ')}' ;;`),
		'	esac',
		'	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
		'}',
		// What is no word of ours is a file.
		'complete -o default -F _rouse rouse',
		'',
	].join('\n');
}

/** zshcompsys(1), of `site-functions/_rouse`. */
export function zshCompletion(program: CommandUnknownOpts): string {
	const places = placesOf(program);
	return [
		'#compdef rouse',
		'# Made by rouse install.',
		"local at='' i",
		'local -a known',
		'for ((i = 2; i < CURRENT; i++)); do',
		`	case "$at $words[i]" in ${waysIn(places)}) at="$at $words[i]" ;; esac`,
		'done',
		'case "$at" in',
		...places.map(({ at, words }) => `'${at}') known=(${words.join(' ')}) ;;`),
		'esac',
		'compadd -a known',
		'_files',
		'',
	].join('\n');
}

function placesOf(command: CommandUnknownOpts, at = ''): Place[] {
	const words = [
		...command.commands.map(child => child.name()),
		...command.options.flatMap(({ long }) => long ?? []),
		'--help',
	];
	return [{ at, words }, ...command.commands.flatMap(child => placesOf(child, `${at} ${child.name()}`))];
}

function waysIn(places: readonly Place[]): string {
	return places
		.filter(({ at }) => at !== '')
		.map(({ at }) => `'${at}'`)
		.join(' | ');
}
