/**
 * The launcher says in ROUSE_COMMAND how it was called (`./rouse`), so that a command in a hint can be typed as it stands. What
 * would have to be quoted in a shell is not taken.
 */
export function calledAs(env: NodeJS.ProcessEnv): string {
	const command = env['ROUSE_COMMAND'] ?? '';
	return /^[\w./~+-]*rouse$/.test(command) ? command : 'rouse';
}

/** Our sentences with their commands, which begin with `rouse` and a noun, as `command`. */
export function withCommand(text: string, command: string): string {
	return command === 'rouse' ? text : text.replace(ownCommand, `${command} `);
}

/** Not within a path or another word; the nouns are those of cli/program.ts. */
const ownCommand =
	/(?<![\w./-])rouse (?=(?:audit|backup|batch|broker|console|demo|doctor|down|host|install|nbd|recover|repo|setup|supervisor|temporal|test|ui|up|version|worker|COMMAND|--)(?![\w/]))/g;
