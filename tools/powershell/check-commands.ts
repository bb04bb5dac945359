/** Every command against the table: name, parameters, parameter set, what is required, and values. */
import { type Cmdlets, commonParameters, type Parameter, type ParameterSet } from './cmdlets.ts';
import {
	type Argument,
	assignmentsTo,
	type Command,
	type Script,
	type ScriptFunction,
	tableEntries,
	tableIn,
} from './script.ts';
import { literalText, type Node, nodesOf } from './syntax.ts';

export interface Problem {
	line: number;
	message: string;
}

/** What a command is given, its tables (`@name`) written out. */
export interface Call {
	command: Command;
	arguments: readonly Argument[];
}

export function* checkCommands(script: Script, cmdlets: Cmdlets): Iterable<Problem> {
	for (const command of script.commands) {
		const { call, problems } = withTables(script, command);
		for (const message of [...problems, ...checkCall(call, script, cmdlets)])
			yield { line: command.line, message: `${command.name}: ${message}` };
	}
}

function* checkCall(call: Call, script: Script, cmdlets: Cmdlets): Iterable<string> {
	const { name } = call.command;
	for (const { parameter, value } of call.arguments)
		if (parameter === undefined) yield `${value?.text ?? '?'} is given without a name`;
	const own = script.functions.get(name);
	const sets = cmdlets.get(name);
	if (own) yield* checkOwn(call, own);
	else if (sets) yield* checkCmdlet(call, sets);
	else yield 'no cmdlet of the table, and no function of the script';
}

function* checkOwn(call: Call, { parameters }: ScriptFunction): Iterable<string> {
	for (const parameter of namesOf(call)) if (!parameters.includes(parameter)) yield `there is no -${parameter}`;
	for (const parameter of parameters) if (!namesOf(call).includes(parameter)) yield `-${parameter} is missing`;
}

function* checkCmdlet(call: Call, sets: readonly ParameterSet[]): Iterable<string> {
	const names = namesOf(call);
	const given = names.filter(name => !commonParameters.includes(name));
	const unknown = given.filter(name => !sets.some(({ parameters }) => Object.hasOwn(parameters, name)));
	for (const name of unknown) yield `there is no -${name}`;
	for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index)))
		yield `-${name} is given twice`;
	if (unknown.length > 0) return;
	const holding = sets.filter(({ parameters }) => given.every(name => Object.hasOwn(parameters, name)));
	const whole = holding.filter(set => missingIn(set, given).length === 0);
	const [first] = holding;
	if (first === undefined) yield `no parameter set has ${given.map(name => `-${name}`).join(' ')}`;
	else if (whole.length === 0)
		yield `-${missingIn(holding.find(set => set.default) ?? first, given).join(' -')} is missing`;
	else if (whole.length > 1 && !whole.some(set => set.default))
		yield `may be any of the parameter sets ${whole.map(set => set.name).join(', ')}`;
	const set = whole.find(each => each.default) ?? whole[0] ?? first;
	if (set) for (const argument of call.arguments) yield* checkValue(argument, set);
}

function missingIn({ parameters }: ParameterSet, given: readonly string[]): string[] {
	return Object.entries(parameters).flatMap(([name, { required }]) =>
		required && !given.includes(name) ? [name] : [],
	);
}

function* checkValue({ parameter, value }: Argument, { parameters }: ParameterSet): Iterable<string> {
	const known: Parameter | undefined = parameter === undefined ? undefined : parameters[parameter];
	if (known === undefined || parameter === undefined) return;
	if (known.type === 'SwitchParameter') {
		if (value !== undefined && !/^\$(true|false)$/.test(value.text)) yield `-${parameter} takes no value`;
		return;
	}
	if (value === undefined) yield `-${parameter} has no value`;
	else if (known.values) {
		const text = literalText(value);
		if (text !== undefined && !known.values.includes(text))
			yield `-${parameter} is one of ${known.values.join(', ')}, not ${text}`;
	}
}

function namesOf(call: Call): string[] {
	return call.arguments.flatMap(({ parameter }) => (parameter === undefined ? [] : [parameter]));
}

/** A table is the one that is written down before, in the same function, whole. */
export function withTables(script: Script, command: Command): { call: Call; problems: string[] } {
	const problems: string[] = [];
	const written = command.splats.flatMap(name => {
		const assigned = assignmentsTo(name, functionAround(script, command.node));
		const [only] = assigned;
		const table = only && tableIn(only.value);
		if (assigned.length === 1 && only && table && only.line < command.line && !isChanged(name, script, command.node))
			return tableEntries(table).map(({ key, value }) => ({ parameter: key, value }));
		problems.push(`@${name} is not one table that is written down before`);
		return [];
	});
	return { call: { command, arguments: [...command.arguments, ...written] }, problems };
}

/** By `$name.key = …`, `$name['key'] = …` or a method. */
function isChanged(name: string, script: Script, node: Node): boolean {
	const within = functionAround(script, node);
	return [...nodesOf(within, 'member_access', 'element_access', 'invokation_expression')].some(
		access =>
			access.text.toLowerCase().startsWith(`$${name.toLowerCase()}`) &&
			/^[.[]/.test(access.text.slice(name.length + 1)),
	);
}

export function functionAround(script: Script, node: Node): Node {
	for (const { body } of script.functions.values())
		if (body.startIndex <= node.startIndex && node.endIndex <= body.endIndex) return body;
	return script.root;
}
