/**
 * `node tools/lint-driver.ts`: the scripts for Windows hosts, of which none can be run here, against what is documented of the
 * cmdlets that they use, and the driver against the requests and answers that Rouse knows. Prints what is wrong, by file and
 * line, and ends with exit code 1 when something is.
 */
import { readFile } from 'node:fs/promises';
import { driverParts } from '../hypervisors/hyperv/driver/bootstrap.ts';
import { operations } from '../hypervisors/hyperv/driver/requests.ts';
import { loadCmdlets } from './powershell/cmdlets.ts';
import { lintScript, usedCmdlets } from './powershell/lint-script.ts';

const folder = new URL('../hypervisors/hyperv/driver/powershell/', import.meta.url);

export async function lintDriver(): Promise<string[]> {
	const cmdlets = await loadCmdlets();
	const parts = await Promise.all(driverParts.map(async name => ({ name, text: await read(name) })));
	const driver = await lintScript(parts.map(({ text }) => text).join('\n'), { cmdlets, operations });
	const console = await lintScript(await read('console.ps1'), { cmdlets });
	return [
		...driver.map(({ line, message }) => `${place(parts, line)}: ${message}`),
		...console.map(({ line, message }) => `console.ps1:${line}: ${message}`),
	];
}

/** Given only where the host has it. */
const optional: Readonly<Record<string, readonly string[]>> = { 'Set-VM': ['AutomaticCheckpointsEnabled'] };

/** Each cmdlet that the driver uses, with the parameters that it cannot do without. */
export async function usedByDriver(): Promise<Record<string, string[]>> {
	const parts = await Promise.all(driverParts.map(read));
	const used = await usedCmdlets(parts.join('\n'), await loadCmdlets());
	return Object.fromEntries(
		Object.entries(used).map(([name, parameters]) => [
			name,
			parameters.filter(parameter => optional[name]?.includes(parameter) !== true),
		]),
	);
}

async function read(name: string): Promise<string> {
	return await readFile(new URL(name, folder), 'utf8');
}

/** Of a line of the parts one after another. */
function place(parts: readonly { name: string; text: string }[], line: number): string {
	let before = 0;
	for (const { name, text } of parts) {
		const lines = text.split('\n').length;
		if (line <= before + lines) return `${name}:${line - before}`;
		before += lines;
	}
	return `line ${line}`;
}

if (import.meta.main) {
	const problems = await lintDriver();
	for (const problem of problems) process.stderr.write(`${problem}\n`);
	if (problems.length > 0) process.exitCode = 1;
}
