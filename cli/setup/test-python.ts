import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { makeCache } from '../../system/installation.ts';
import { runTool } from '../../system/run-tool.ts';

/** What tests run in Python, with the digest of every package; all of it goes into one environment. */
const requirements = ['dissect', 'ec2', 'foreign'].map(name =>
	join(checkoutDirectory, 'test', 'equipment', name, 'requirements.txt'),
);
const installPython = 'apt-get install python3-venv';

interface Asked {
	output: { message(text: string): void };
	signal: AbortSignal;
}

/**
 * The Python of a virtual environment in the cache that has the packages of the tests; made when it is not there. Throws
 * `tool_missing`.
 */
export async function provideTestPython(cacheDirectory: string, { output, signal }: Asked): Promise<string> {
	await makeCache(cacheDirectory); // before a program in it is run
	const version = await run('python3', ['-c', 'import sys; print(sys.version, sys.platform, sys.executable)'], signal);
	// Others need another environment: it links to the Python it was made by, and holds compiled code.
	const inputs = createHash('sha256').update(version);
	for (const file of requirements) inputs.update(await readFile(file));
	const place = join(cacheDirectory, 'test-python', inputs.digest('hex').slice(0, 16));
	const python = join(place, 'bin', 'python');
	const isThere = () =>
		access(python).then(
			() => true,
			() => false,
		);
	if (await isThere()) return python;
	await mkdir(dirname(place), { recursive: true });
	await whileLocked(
		join(dirname(place), '.lock'),
		async () => {
			if (await isThere()) return;
			output.message('fetching what tests run in Python, once');
			await makeEnvironment(place, signal);
		},
		signal,
	);
	return python;
}

/** Filled beside its place and renamed when it is whole. Its programs know the place they were made at, its Python does not. */
async function makeEnvironment(place: string, signal: AbortSignal): Promise<void> {
	const beside = await mkdtemp(join(dirname(place), '.make-'));
	try {
		await run('python3', ['-m', 'venv', beside], signal);
		const install = ['--require-hashes', '--only-binary', ':all:', '--disable-pip-version-check'];
		const packages = requirements.flatMap(file => ['-r', file]);
		await run(join(beside, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...install, ...packages], signal);
		await rename(beside, place);
	} finally {
		await rm(beside, { recursive: true, force: true });
	}
}

async function run(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
	const { code, stdout, tail } = await runTool(program, args, { hint: installPython, signal });
	if (code === 0) return stdout;
	throw new RouseError('tool_missing', `${[program, ...args].join(' ')} failed:\n${tail.join('\n')}`, {
		hint: `mend what it names; Python's virtual environments: ${installPython}`,
	});
}
