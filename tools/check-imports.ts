/**
 * `node tools/check-imports.ts`: the folders are the architecture, and imports point one way (docs/architecture.md).
 * Prints each import that does not, each circle and each package that a thread loads without need, and ends with exit code 1 when there is one.
 */
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { objectionsToCircles } from './import-circles.ts';
import { objectionsToThreads } from './thread-imports.ts';

interface Rule {
	/** Folders, or single files, whose code may be used. A folder may always import itself, but not in a circle. */
	folders: readonly string[];
	/** Packages; a name that ends in `/` stands for all of its scope. */
	packages: readonly string[];
	/** Folders whose types may be used, but not their code. */
	types?: readonly string[];
}

const anything: Rule = { folders: ['*'], packages: ['*'] };
const everyday = ['zod', 'yaml'] as const;

/**
 * Only the outermost folders know Temporal: nothing that holds data depends on it. A folder in a folder may have a rule
 * of its own, which then stands in place of the outer one.
 */
const rules: Readonly<Record<string, Rule>> = {
	model: { folders: [], packages: ['zod'] },
	// A log is made in system/log.ts alone: pino's own destinations end a process when the disk is full.
	system: { folders: ['model'], packages: [...everyday, 'pino'] },
	drills: { folders: ['model', 'system'], packages: ['zod'] },
	repository: { folders: ['model', 'system'], packages: [...everyday, '@napi-rs/blake-hash'] },
	// Server and client share the protocol and nothing else.
	'nbd/protocol': { folders: ['model'], packages: [] },
	'nbd/server': { folders: ['model', 'system', 'nbd/protocol'], packages: [] },
	'nbd/client': { folders: ['model', 'system', 'nbd/protocol'], packages: [] },
	// The protocol alone: machines that Rouse runs and machines that it imports are asked by it.
	qmp: { folders: ['model', 'system'], packages: ['zod'] },
	vhdx: { folders: ['model'], packages: [] },
	volume: { folders: ['model', 'system', 'vhdx'], packages: ['zod'] },
	inspection: { folders: ['model'], packages: [] },
	// XML is what descriptions of machines from elsewhere are written in.
	sources: {
		folders: ['model', 'system', 'inspection', 'repository', 'nbd', 'qmp', 'vhdx'],
		packages: [...everyday, 'saxes'],
	},
	// AWS's SDK, and the only place that knows it: it is large, and its errors tell secrets.
	'sources/ec2/aws': {
		folders: ['sources/ec2/cloud.ts', 'sources/ec2/refusals.ts'],
		packages: ['zod', '@aws-sdk/client-ebs', '@aws-sdk/client-ec2'],
	},
	// Google's library, and the only place that knows it: its errors tell secrets.
	'sources/gce/google': {
		folders: ['model', 'system', 'repository/until-aborted.ts'],
		packages: ['zod', 'google-auth-library'],
	},
	movers: { folders: ['model', 'system', 'repository', 'nbd', 'vhdx', 'volume'], packages: everyday },
	exports: { folders: ['model', 'system', 'repository', 'nbd', 'movers', 'vhdx'], packages: everyday },
	hypervisors: { folders: ['model', 'system', 'nbd', 'qmp', 'vhdx', 'volume'], packages: everyday },
	// A process of its own, and its own mount mover.
	'hypervisors/hyperv/selftest': {
		folders: ['model', 'system', 'nbd', 'vhdx', 'volume', 'movers/mount-mover', 'hypervisors'],
		packages: everyday,
	},
	supervisor: { folders: ['model', 'system', 'repository', 'movers', 'hypervisors'], packages: everyday },
	// Bundled into a sandbox without Node: of the rest only types, which leave nothing behind.
	workflows: { folders: ['model'], packages: ['zod', '@temporalio/workflow', '@temporalio/common'], types: ['*'] },
	activities: {
		folders: [
			'model',
			'system',
			'repository',
			'drills',
			'supervisor/client.ts',
			'supervisor/protocol.ts',
			// What of an import goes through Temporal.
			'sources/machine/documents.ts',
			'sources/machine/order.ts',
			'sources/machine-child/calls.ts',
		],
		packages: [...everyday, '@temporalio/'],
		types: ['workflows', 'sources/machine', 'sources/machine-child'],
	},
	workers: {
		folders: [
			'model',
			'system',
			'repository',
			'activities',
			'workflows',
			'supervisor/client.ts',
			'supervisor/protocol.ts',
			// A batch starts and orders recoveries by the rules by which a person does.
			'client/item-recoveries.ts',
			'client/drill',
			'drills',
			// The processes that take the steps of imports.
			'sources/machine-child',
		],
		packages: [...everyday, '@temporalio/'],
		types: ['client/connection.ts'],
	},
	// An API stands on it as the command line does: no terminal, no command.
	client: {
		folders: [
			'model',
			'system',
			'repository',
			'workflows/broker-contracts.ts',
			'workflows/contracts.ts',
			'workflows/batch-contracts.ts',
			'workflows/drill-contracts.ts',
			'workflows/import-contracts.ts',
			'supervisor/client.ts',
			'supervisor/protocol.ts',
		],
		packages: ['zod', '@temporalio/'],
	},
	keeper: {
		folders: [
			'model',
			'system',
			'workflows/contracts.ts',
			'supervisor/client.ts',
			// Hosts elsewhere have one certificate for all that is served to them.
			'repository/service',
			// It starts the embedded server as the workers expect it.
			'workers/temporal-server.ts',
			'client/connection.ts',
		],
		packages: ['zod', '@temporalio/client'],
	},
	// In the appliance it looks at what a host has; outside it builds the image.
	appliance: { folders: ['model', 'system', 'exports', 'vhdx', 'hypervisors'], packages: everyday },
	cli: {
		folders: [
			'appliance',
			'bench/peers',
			'model',
			// The demonstration drives the guest of a simulated host.
			'hypervisors/hyperv/simulator/control-client.ts',
			// Makes a Windows host one of Rouse's, before there is a supervisor for it.
			'hypervisors/hyperv/host-setup',
			'system',
			'repository',
			'sources',
			'movers',
			'drills',
			'exports',
			'inspection',
			'vhdx',
			'workflows/contracts.ts',
			'activities',
			'supervisor/client.ts',
			'supervisor/protocol.ts',
			// Where a host keeps its locks: the demo kills by them.
			'supervisor/files/places.ts',
			'client',
			'keeper',
			// What KVM runs here is tried without a supervisor, too: by `doctor`.
			'hypervisors/qemu/acceleration.ts',
			'hypervisors/qemu/host.ts',
		],
		packages: [...everyday, 'commander', '@commander-js/extra-typings'],
	},
	test: anything,
	tools: anything,
	bench: anything,
	// A command of users, unlike the rest of it: nothing of tests.
	'bench/peers': {
		folders: ['model', 'system', 'repository', 'movers', 'nbd', 'bench/chunk-size/workload.ts'],
		packages: ['zod'],
	},
};

const withoutIo = ['model', 'workflows', 'nbd/protocol', 'vhdx'];

export interface Import {
	specifier: string;
	typeOnly: boolean;
	line: number;
}

/** Import and re-export statements, imports for their effect, and `import()`. Comments do not count. */
export function importsOf(source: string): Import[] {
	const code = withoutComments(source);
	const statements = [
		/^[ \t]*(?:import|export)\s+(type\s)?[^'"`;()=]*?\bfrom\s*(['"])([^'"\n]+)\2/gm,
		/^[ \t]*import\s*()(['"])([^'"\n]+)\2/gm,
		/\bimport\(\s*()(['"`]?)([^'"`\n)]*)\2/g,
	];
	return statements.flatMap(statement =>
		[...code.matchAll(statement)].map(found => ({
			specifier: found[3] ?? '',
			typeOnly: Boolean(found[1]),
			line: code.slice(0, found.index).split('\n').length,
		})),
	);
}

/** Why a file may not have this import; undefined when it may. */
export function objection(
	file: string,
	{ specifier, typeOnly }: Pick<Import, 'specifier' | 'typeOnly'>,
): string | undefined {
	const folder = ruledFolder(file);
	const rule = folder === undefined ? undefined : rules[folder];
	if (folder === undefined || !rule) return `${dirname(file)} has no rule in tools/check-imports.ts`;
	if (/^[^./@\w]|[^\w./@:-]/.test(specifier))
		return rule === anything ? undefined : `import(${specifier}) is no literal: where it leads cannot be checked`;
	if (specifier === 'node:http' && !typeOnly && rule !== anything)
		return 'an import of node:http loads undici too: take it of system/node-http.ts';
	if (specifier.startsWith('node:')) {
		return withoutIo.includes(folder) && !typeOnly ? `${folder} does no I/O: not ${specifier}` : undefined;
	}
	if (!specifier.startsWith('.')) {
		const allowed = rule.packages.some(name => name === '*' || specifier === name || startsScope(specifier, name));
		return allowed ? undefined : `${folder} may not use the package ${specifier}`;
	}
	const target = join(dirname(file), specifier);
	if (target.startsWith(`${folder}/`)) return undefined;
	const covers = (places: readonly string[] = []) =>
		places.some(place => place === '*' || target === place || target.startsWith(`${place}/`));
	if (covers(rule.folders) || (typeOnly && covers(rule.types))) return undefined;
	return `${folder} may not import ${target}${covers(rule.types) ? ' but as a type' : ''}`;
}

/** The innermost folder around a file that has a rule. */
function ruledFolder(file: string): string | undefined {
	for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) if (rules[folder]) return folder;
	return undefined;
}

function startsScope(specifier: string, name: string): boolean {
	// A package's inner files (`@temporalio/common/lib/time.js`) belong to the package.
	return specifier.startsWith(name.endsWith('/') ? name : `${name}/`);
}

/** Blanks comments and keeps line ends; what looks like a comment in a string is not one. */
function withoutComments(source: string): string {
	return source.replaceAll(
		/("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
		(comment, text: string | undefined) => text ?? comment.replaceAll(/[^\n]/g, ' '),
	);
}

/** Every objection to the imports of the files under `root`. */
export async function check(root: string): Promise<string[]> {
	const problems: string[] = [];
	const graph = new Map<string, Set<string>>();
	const loads = new Map<string, Set<string>>();
	for await (const path of glob('**/*.ts', { cwd: root, exclude: ['node_modules', '.git', '**/fixtures/**'] })) {
		const file = relative('.', path.replaceAll('\\', '/'));
		const imports = new Set<string>();
		graph.set(file, imports);
		const loaded = new Set<string>();
		loads.set(file, loaded);
		for (const found of importsOf(await readFile(join(root, file), 'utf8'))) {
			// Types too: what is described by a file that it describes cannot be understood, or changed, alone.
			const target = found.specifier.startsWith('.') ? join(dirname(file), found.specifier) : undefined;
			if (target !== undefined) imports.add(target);
			if (!found.typeOnly) loaded.add(target ?? found.specifier);
			const why = objection(file, found);
			if (why) problems.push(`${file}:${found.line}: ${why}`);
		}
	}
	return [...problems.toSorted(), ...objectionsToCircles(graph), ...objectionsToThreads(loads)];
}

if (import.meta.main) {
	const problems = await check(fileURLToPath(new URL('..', import.meta.url)));
	for (const problem of problems) console.error(problem);
	if (problems.length > 0) process.exitCode = 1;
}
