import { homedir } from 'node:os';
import { join } from 'node:path';
import { temporalRelease } from '../../keeper/temporal-cli.ts';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { runTool } from '../../system/run-tool.ts';
import { askVersion, atLeast } from '../../system/tool-version.ts';
import type { Context } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';

/** The first that fetches a newer toolchain by itself when go.mod asks for one. */
const goLeast = '1.21';
/** /usr/local/go is where the official archive is unpacked; PATH does not always say so. */
const goPlaces = ['go', '/usr/local/go/bin/go'] as const;
const installGo =
	'install Go (https://go.dev/dl), then run again; the Temporal CLI alone: https://docs.temporal.io/cli/setup-cli';

/** What is built is what go.sum names, whatever workspace lies above the checkout: every module is compared with it. */
const ofOurModule = { GOFLAGS: '-mod=readonly', GOWORK: 'off' };

/** What Go makes of a package of tools/temporal. */
interface Build {
	/** For a person. */
	what: string;
	takes: string;
	package: string;
	/** Variables of its packages. */
	variables: Readonly<Record<string, string>>;
	/** When modules cannot be fetched. */
	hint: string;
}

const byHand = 'or install the CLI by hand: https://docs.temporal.io/cli/setup-cli';

/** Builds the Temporal CLI from tools/temporal at `file`: five to eight minutes on two cores, once. */
export async function buildTemporal(file: string, context: Context): Promise<void> {
	const build: Build = {
		what: `the Temporal CLI ${temporalRelease.cli}`,
		takes: '5 to 8 minutes, once',
		package: 'github.com/temporalio/cli/cmd/temporal',
		variables: { 'github.com/temporalio/cli/internal/temporalcli.Version': temporalRelease.cli },
		hint: `it needs the Go module proxy (GOPROXY); ${byHand}`,
	};
	await buildWithGo(build, file, context);
}

/** The same of Temporal's server with its PostgreSQL plugin, most of which the CLI has as well. */
export async function buildServer(file: string, context: Context): Promise<void> {
	const build: Build = {
		what: `Temporal's server ${temporalRelease.server} for PostgreSQL`,
		takes: '5 to 8 minutes, once; seconds where the CLI was built',
		package: './server',
		variables: {},
		hint: 'it needs the Go module proxy (GOPROXY)',
	};
	await buildWithGo(build, file, context);
}

async function buildWithGo(build: Build, file: string, { output, signal, env }: Context): Promise<void> {
	const go = await findGo(build);
	output.message(`building ${build.what} with Go ${go.version}: ${build.takes}`);
	const progress = output.progress(`building ${build.what}`);
	const startedAt = performance.now();
	let packages = 0;
	let modules = 0;
	const show = () => {
		const note = `${modules} modules fetched, ${formatDuration(performance.now() - startedAt)}`;
		progress.update({ done: packages, unit: 'packages built', note });
	};
	const timer = setInterval(show, 500);
	try {
		const run = await runTool(go.path, buildArguments(build, file), {
			hint: installGo,
			cwd: join(checkoutDirectory, 'tools', 'temporal'),
			signal,
			env: {
				...env,
				...ofOurModule,
				// systemd gives its services none, and without it Go has no place for modules.
				HOME: env['HOME'] ?? homedir(),
				// Debian's Go is told to stay as it is; go.mod may need a newer one.
				GOTOOLCHAIN: env['GOTOOLCHAIN'] ?? 'auto',
				CGO_ENABLED: '0',
			},
			onLine: line => {
				if (line.startsWith('go: downloading')) modules += 1;
				else packages += 1;
			},
		});
		if (run.code !== 0)
			throw new RouseError('tool_missing', `${build.what} could not be built:\n${run.tail.join('\n')}`, {
				hint: build.hint,
			});
	} finally {
		clearInterval(timer);
		progress.end();
	}
}

function buildArguments({ package: of, variables }: Build, file: string): string[] {
	const set = Object.entries(variables).map(([name, value]) => ` -X ${name}=${value}`);
	return ['build', '-v', '-trimpath', `-ldflags=-s -w${set.join('')}`, '-o', file, of];
}

async function findGo({ what }: Build): Promise<{ path: string; version: string }> {
	let old: string | undefined;
	for (const path of goPlaces) {
		const version = /go(\d+\.\d+(\.\d+)?)/.exec((await askVersion(path, { args: ['version'] })).said)?.[1];
		if (version !== undefined && atLeast(version, goLeast)) return { path, version };
		old ??= version;
	}
	throw new RouseError(
		'tool_missing',
		`${what} has to be built, and that needs Go ${goLeast} or newer (${old ? `found ${old}` : 'found none'})`,
		{ hint: installGo },
	);
}
