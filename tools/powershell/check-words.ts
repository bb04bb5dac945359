/** What stands nowhere in a script, and the types of .NET that may. */
import type { Problem } from './check-commands.ts';
import type { Script } from './script.ts';
import { children, lineOf, literalText, type Node, nodesIn } from './syntax.ts';

/** Each is one whose text is never run. Whatever else is wanted is put here by somebody who looked at what it does. */
const types: ReadonlySet<string> = new Set(
	`
	bool byte char guid int int16 int64 ordered
	string string[] uint16 uint32 uint64 void
	Collections.IDictionary Collections.IEnumerable Console Environment Globalization.CultureInfo InvalidOperationException NullString
	IO.BinaryReader IO.Directory IO.File IO.FileAccess IO.FileAttributes IO.FileInfo IO.FileMode IO.FileShare
	IO.FileStream IO.Path IO.Pipes.NamedPipeClientStream IO.Pipes.PipeDirection IO.Pipes.PipeOptions Math
	Microsoft.Win32.Registry
	Security.AccessControl.AccessControlType Security.AccessControl.FileSecurity Security.AccessControl.FileSystemAccessRule Security.AccessControl.FileSystemRights Security.Principal.SecurityIdentifier Security.Principal.WindowsBuiltInRole Security.Principal.WindowsIdentity Security.Principal.WindowsPrincipal
	StringComparison Text.Encoding Text.StringBuilder Threading.AbandonedMutexException Threading.Mutex Threading.Tasks.Task
	`
		.trim()
		.toLowerCase()
		.split(/\s+/),
);

/** Of whatever object: they run text or a block. */
const runningMembers = /^(invoke\w*|newscriptblock|createinstance|create|getsteppablepipeline|addscript|begininvoke)$/i;

export function* checkWords({ root, commands }: Script): Iterable<Problem> {
	for (const node of nodesIn(root)) {
		const message = objection(node);
		if (message !== undefined) yield { line: lineOf(node), message };
	}
	for (const command of commands)
		if (command.name === 'New-Object') {
			const type = command.arguments.find(({ parameter }) => parameter === 'TypeName')?.value;
			const name = type && (literalText(type) ?? type.text);
			if (name === undefined || !isAllowed(name))
				yield { line: command.line, message: `${name ?? 'an unknown type'} is no type that a script may make` };
		}
}

function objection(node: Node): string | undefined {
	if (node.type === 'ERROR' || node.isMissing) return `this is no PowerShell: ${node.text.slice(0, 60)}`;
	switch (node.type) {
		case 'variable':
			return /^[$@]\{?(\w+:)?input\}?$/i.test(node.text)
				? 'the host takes stdin for itself when $input stands anywhere'
				: undefined;
		case 'command_invokation_operator':
			return `${node.text} runs what a value names`;
		case 'script_block_expression':
			return 'a block as a value';
		case 'pipeline_chain':
			return [...children(node)].some(child => child.type === '|') ? 'commands are joined by |' : undefined;
		case 'command_parameter':
			return /^-e(nc|c|ncodedcommand)$/i.test(node.text) ? `${node.text} runs text` : undefined;
		case 'redirection':
			return /^\*>\s*\$null$/.test(node.text) ? undefined : 'a redirection';
		case 'member_name':
			return runningMembers.test(node.text) ? `.${node.text} runs what it is given` : undefined;
		case 'type_literal':
			return isAllowed(node.text.replace(/^\[|\]$/g, '')) ? undefined : `${node.text} is no type that a script may use`;
		default:
			return undefined;
	}
}

function isAllowed(type: string): boolean {
	return types.has(type.toLowerCase().replace(/^system\./, ''));
}

/** A character that is not ASCII means something else in another code page. */
export function* checkCharacters(text: string): Iterable<Problem> {
	for (const [index, line] of text.split('\n').entries())
		if (/[^\t -~]/.test(line)) yield { line: index + 1, message: 'a character that is not ASCII' };
}
