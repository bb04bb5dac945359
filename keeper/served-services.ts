import { readFile } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { isErrno } from '../system/durable-file.ts';
import { type Config, type Installation, places } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import { endHolder, type Program } from '../system/spawn-locked.ts';
import { withoutPowers } from '../system/without-powers.ts';
import type { HostDoorOptions } from './door/host-door.ts';
import { withPort } from './served-addresses.ts';
import { type ServedName, type Service, servedNames, serviceFiles, serviceHolder } from './services.ts';

/** What is served to hosts elsewhere: by which service, and where. */
export interface Served {
	name: ServedName;
	/** As config.yaml calls it. */
	key: string;
	host: string;
	port: number;
	/** A program of this checkout. */
	script: string;
	args: readonly string[];
}

/** All that `serve` of config.yaml says. */
export function servedBy({ home, runDirectory }: Installation, { serve, repositories }: Config): Served[] {
	if (serve === undefined) return [];
	const { address: host, temporal } = serve;
	const door = (port: number): Served => {
		const options: HostDoorOptions = { home, host, port, socket: places.temporalSocket(runDirectory) };
		const args = [JSON.stringify(options)];
		return { name: 'host-door', key: 'serve.temporal', host, port, script: 'keeper/door/host-door-main.ts', args };
	};
	return [
		...(temporal === undefined ? [] : [door(temporal)]),
		...Object.entries(serve.repositories).map(
			([repository, port]): Served => ({
				name: `repo-serve-${repository}`,
				key: `serve.repositories.${repository}`,
				host,
				port,
				script: 'cli/main.ts',
				args: ['repo', 'serve', repositories[repository] ?? '', '--listen', withPort(host, port), '--json'],
			}),
		),
	];
}

type NodeProgram = (path: string, ...args: string[]) => Program;

export function servedServices(
	served: readonly Served[],
	{ env, node }: { env: NodeJS.ProcessEnv; node: NodeProgram },
): Service[] {
	return served.map(({ name, script, args }) => ({
		name,
		program: () => withoutPowers(node(script, ...args)),
		env,
	}));
}

/** Ends what is not served any more, or is served otherwise: who runs under a lock would be taken for what is to run there. */
export async function endOtherwiseServed(home: string, served: readonly Served[], log: Log): Promise<void> {
	for (const name of await servedNames(home)) {
		const pid = (await serviceHolder(home, name))?.pid;
		const wanted = served.find(one => one.name === name);
		if (pid === undefined || (wanted && (await hasArguments(pid, wanted.args)))) continue;
		log.info(`${name} (pid ${pid}) serves what config.yaml does not say: it is ended`);
		if (await endHolder(serviceFiles(home, name).lockPath, { politeMs: 2_000 })) continue;
		throw new RouseError('timeout', `${name} does not end, not even by SIGKILL`);
	}
}

/** By its command line, of which they are the last. */
async function hasArguments(pid: number, args: readonly string[]): Promise<boolean> {
	try {
		const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
		return commandLine.endsWith(['', ...args, ''].join('\0'));
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return true; // it has ended
		throw error;
	}
}
