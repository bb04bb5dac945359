import { checkCommands, type Problem, withTables } from './check-commands.ts';
import { checkOperations, type Operations } from './check-operations.ts';
import { checkCharacters, checkWords } from './check-words.ts';
import type { Cmdlets } from './cmdlets.ts';
import { readScript } from './script.ts';
import { parsePowerShell } from './syntax.ts';

export interface LintOptions {
	cmdlets: Cmdlets;
	/** What it must do, when it is the driver. */
	operations?: Operations | undefined;
}

/** All that is wrong with a script, by line. */
export async function lintScript(text: string, { cmdlets, operations }: LintOptions): Promise<Problem[]> {
	const script = readScript(await parsePowerShell(text));
	const problems = [
		...checkCharacters(text),
		...checkWords(script),
		...checkCommands(script, cmdlets),
		...(operations ? checkOperations(script, operations) : []),
	];
	return problems.toSorted((a, b) => a.line - b.line);
}

/** Each cmdlet of the table that a script uses, with the parameters that it gives. */
export async function usedCmdlets(text: string, cmdlets: Cmdlets): Promise<Record<string, string[]>> {
	const script = readScript(await parsePowerShell(text));
	const used = new Map<string, Set<string>>();
	for (const command of script.commands) {
		if (!cmdlets.has(command.name)) continue;
		const parameters = used.get(command.name) ?? new Set();
		used.set(command.name, parameters);
		for (const { parameter } of withTables(script, command).call.arguments)
			if (parameter !== undefined) parameters.add(parameter);
	}
	return Object.fromEntries([...used].toSorted().map(([name, parameters]) => [name, [...parameters].toSorted()]));
}
