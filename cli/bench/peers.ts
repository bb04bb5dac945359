import { rows } from '../../bench/peers/rows.ts';
import type { BenchRowName } from '../../model/bench.ts';
import { RouseError } from '../../model/errors.ts';
import { installCommand } from '../setup/packages.ts';
import { inspectTool, type Tool, tools } from '../setup/tools.ts';
import { testTools } from '../setup/test-tools.ts';

/** Without a peer, or what makes its disks, no row is begun: `tool_missing` with the command that installs them. */
export async function findPeers(names: readonly BenchRowName[], signal: AbortSignal): Promise<Record<string, string>> {
	const asked = new Set(rows.filter(({ name }) => names.includes(name)).flatMap(row => row.tools));
	// Their images are made with mke2fs, which comes with e2fsck.
	asked.add('e2fsck');
	const wanted = [...asked].toSorted().map(toolNamed);
	const findings = await Promise.all(wanted.map(async tool => ({ tool, found: await inspectTool(tool, signal) })));
	const missing = findings.filter(({ found }) => !found.ok);
	if (missing.length > 0) {
		const packages = [...new Set(missing.map(({ tool }) => tool.debianPackage))];
		throw new RouseError('tool_missing', `missing: ${missing.map(({ tool }) => tool.name).join(', ')}`, {
			hint: `run: ${installCommand(packages, process.getuid?.() === 0)}`,
		});
	}
	return Object.fromEntries(findings.map(({ tool, found }) => [tool.name, found.version ?? '']));
}

function toolNamed(name: string): Tool {
	const tool = [...tools, ...testTools].find(one => one.name === name);
	if (tool) return tool;
	throw new RouseError('internal', `no tool is called ${name}`);
}
