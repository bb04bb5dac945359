/** The script against requests.ts: each operation has its function, and both say the same of requests and answers. */
import type * as z from 'zod';
import { checkAnswer } from './check-answers.ts';
import { functionAround, type Problem } from './check-commands.ts';
import { checkRequest } from './check-requests.ts';
import { readCommand, type Script } from './script.ts';
import { shapeOf } from './shapes.ts';
import { bare, childOf, lineOf, literalText, namedChildren, type Node, nodesOf } from './syntax.ts';

export type Operations = Readonly<Record<string, { request: z.ZodType; answer: z.ZodType }>>;

export function* checkOperations(script: Script, operations: Operations): Iterable<Problem> {
	const dispatched = [...dispatchIn(script)];
	const readBefore = new Set(readWhereDispatched(script));
	for (const { operation, calls, line } of dispatched)
		if (!Object.hasOwn(operations, operation)) yield { line, message: `there is no operation ${operation}` };
		else if (calls !== functionOf(operation)) yield { line, message: `${operation} is done by ${calls}` };
	for (const [operation, { request, answer }] of Object.entries(operations)) {
		const times = dispatched.filter(each => each.operation === operation).length;
		const entry = script.functions.get(functionOf(operation));
		if (times !== 1) yield { line: 1, message: `${operation} is begun ${times} times` };
		if (!entry) yield { line: 1, message: `${operation} has no function ${functionOf(operation)}` };
		else {
			yield* checkRequest(script, entry, shapeOf(request), readBefore);
			yield* checkAnswer(script, entry, shapeOf(answer));
		}
	}
}

/** `Invoke-MakeTarget` of `make-target`. */
function functionOf(operation: string): string {
	return `Invoke-${operation.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}`;
}

/** The clauses of `switch ($Request.op)`. */
function* dispatchIn(script: Script): Iterable<{ operation: string; calls: string; line: number }> {
	for (const node of nodesOf(script.root, 'switch_statement')) {
		const condition = childOf(node, 'switch_condition');
		if (condition?.text.replace(/[()\s]/g, '') !== '$Request.op') continue;
		for (const clause of nodesOf(node, 'switch_clause')) {
			const [label] = [...namedChildren(clause)];
			const [command] = [...nodesOf(clause, 'command')];
			yield {
				operation: (label && textOf(label)) ?? '',
				calls: command ? readCommand(command).name : 'nothing',
				line: lineOf(clause),
			};
		}
	}
}

/** `Request.recoveryId`, for one. */
function* readWhereDispatched(script: Script): Iterable<string> {
	for (const node of nodesOf(script.root, 'switch_condition'))
		for (const access of nodesOf(functionAround(script, node), 'member_access'))
			if (access.text.startsWith('$Request.')) yield access.text.slice(1);
}

function textOf(label: Node): string | undefined {
	const [only] = [...namedChildren(label)];
	return only && literalText(bare(only));
}
