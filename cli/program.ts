import { CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { asRouseError, RouseError } from '../model/errors.ts';
import { hintOf } from './hints.ts';
import { calledAs } from './terminal/called-as.ts';
import { type Context, command } from './terminal/command.ts';
import { Output } from './terminal/output.ts';
import type { Sink } from './terminal/sink.ts';
import { commandPath, usageError } from './usage.ts';

type Build = (context: Context) => CommandUnknownOpts;

/** In the order of the help. A file is loaded when its noun is used, so that `rouse version` costs no more than it must. */
const nouns: Readonly<Record<string, { group: string; load: () => Promise<{ build: Build }> }>> = {
	demo: { group: 'Start here', load: () => import('./commands/demo.ts') },
	setup: { group: 'Start here', load: () => import('./commands/setup.ts') },
	doctor: { group: 'Start here', load: () => import('./commands/doctor.ts') },
	install: { group: 'Start here', load: loadInstall },
	repo: { group: 'Backups', load: () => import('./commands/repo.ts') },
	backup: { group: 'Backups', load: () => import('./commands/backup.ts') },
	nbd: { group: 'Backups', load: () => import('./commands/nbd.ts') },
	recover: { group: 'Recoveries', load: () => import('./commands/recover.ts') },
	batch: { group: 'Recoveries', load: () => import('./commands/batch.ts') },
	drill: { group: 'Recoveries', load: () => import('./commands/drill.ts') },
	audit: { group: 'Recoveries', load: () => import('./commands/audit.ts') },
	broker: { group: 'Recoveries', load: () => import('./commands/broker.ts') },
	console: { group: 'Recoveries', load: () => import('./commands/console.ts') },
	host: { group: 'Recoveries', load: () => import('./commands/host.ts') },
	appliance: { group: 'Services', load: () => import('./commands/appliance.ts') },
	up: { group: 'Services', load: () => import('./commands/up.ts') },
	down: { group: 'Services', load: () => import('./commands/down.ts') },
	service: { group: 'Services', load: () => import('./commands/service.ts') },
	ui: { group: 'Services', load: () => import('./commands/ui.ts') },
	temporal: { group: 'Services', load: () => import('./commands/temporal.ts') },
	worker: { group: 'Services', load: () => import('./commands/worker.ts') },
	supervisor: { group: 'Services', load: () => import('./commands/supervisor.ts') },
	test: { group: 'About', load: () => import('./commands/test.ts') },
	bench: { group: 'About', load: () => import('./commands/bench.ts') },
	version: { group: 'About', load: () => import('./commands/version.ts') },
};

export interface Invocation {
	argv: readonly string[];
	env: NodeJS.ProcessEnv;
	stdout: Sink;
	stderr: Sink;
	signal: AbortSignal;
}

/** Runs one command line and gives its exit code; every error is printed, none is thrown. */
export async function runProgram({ argv, env, stdout, stderr, signal }: Invocation): Promise<number> {
	const given = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
	const has = (...flags: string[]) => given.some(argument => flags.includes(argument));
	// Read before commander does, so that even its own errors come out as asked for.
	const output = new Output({
		stdout,
		stderr,
		json: has('--json'),
		quiet: has('--quiet', '-q'),
		debug: has('--debug'),
		dumb: env['TERM'] === 'dumb',
		command: calledAs(env),
	});
	let exitCode = 0;
	const context: Context = {
		output,
		env,
		signal,
		exitWith: code => {
			exitCode = code;
		},
	};
	const line = has('-V', '--version') && nounOf(given) === undefined ? ['version'] : argv;
	let asked = 'rouse';
	try {
		const program = await buildProgram(context, nounOf(line));
		asked = commandPath(program, line);
		// With --json a missing verb is an error document; the help that people get with it would be none.
		tune(program, { stdout, stderr: output.json ? { ...stderr, write: () => {} } : stderr });
		await program.parseAsync(line, { from: 'user' });
		return exitCode;
	} catch (thrown) {
		if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0; // --help
		const error = explain(thrown, { signal, asked });
		// 128 + the signal's number, as shells have it; the table's 130 is SIGINT's.
		const code = error.details?.['signal'] === 'SIGTERM' ? 143 : error.exitCode;
		output.error(error, code, hintOf(error));
		return code;
	}
}

function nounOf(argv: readonly string[]): string | undefined {
	return argv.find(argument => !argument.startsWith('-'));
}

/** Completion and manual are made of all the commands. */
async function loadInstall(): Promise<{ build: Build }> {
	const { buildInstall } = await import('./commands/install.ts');
	return { build: context => buildInstall(context, () => buildProgram(context, undefined)) };
}

/** `wanted`: the noun alone that is built; undefined for all. */
export async function buildProgram(context: Context, wanted: string | undefined): Promise<CommandUnknownOpts> {
	const program: CommandUnknownOpts = command('rouse')
		.description('Starts machines straight from their backups, and copies their disks to the host while they run.')
		.option('--json', 'answers as JSON: one document, or one a line for long work')
		.option('-q, --quiet', 'no messages and no progress on stderr')
		.option('--debug', 'where an error came from')
		.option('-V, --version', 'the same as: rouse version')
		.addHelpText('after', '\nThe main job in one line:  rouse recover start web01@latest\nMore: docs/cli.md');
	// An unknown one is shown all, so that commander can say which was meant.
	const chosen = wanted !== undefined && Object.hasOwn(nouns, wanted) ? wanted : undefined;
	for (const [noun, { group, load }] of Object.entries(nouns)) {
		if (chosen !== undefined && noun !== chosen) continue;
		program.addCommand((await load()).build(context).helpGroup(`${group}:`));
	}
	return program;
}

/** Help that was asked for goes to stdout, help instead of a missing verb to stderr; errors are printed by the frame. */
function tune(part: CommandUnknownOpts, to: { stdout: Sink; stderr: Sink }): void {
	part.exitOverride().configureOutput({
		writeOut: text => void to.stdout.write(text),
		writeErr: text => void to.stderr.write(text),
		outputError: () => {},
	});
	for (const child of part.commands) tune(child, to);
}

/** `asked`: the command that was meant. */
function explain(thrown: unknown, { signal, asked }: { signal: AbortSignal; asked: string }): RouseError {
	if (thrown instanceof CommanderError) return usageError(thrown, asked);
	// Node's own functions throw an AbortError of theirs when a signal they were given is aborted.
	if (signal.aborted && thrown instanceof Error && thrown.name === 'AbortError') return interruptedBy(signal);
	return asRouseError(thrown);
}

function interruptedBy(signal: AbortSignal): RouseError {
	return signal.reason instanceof RouseError ? signal.reason : new RouseError('interrupted', 'interrupted');
}
