import { join } from 'node:path';
import { findIsolation } from '../../keeper/door/isolation.ts';
import { type FoundTemporal, findTemporal, temporalTried } from '../../keeper/temporal-cli.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { cacheDirectory, checkCache, type Config, homeDirectory, loadConfig } from '../../system/installation.ts';
import { defaultUserRange } from '../../system/user-range.ts';
import type { Context } from '../terminal/command.ts';
import { inspectDatabase } from './inspect-database.ts';
import { inspectQemu } from './inspect-qemu.ts';
import { installCommand } from './packages.ts';
import { type Check, inspectTool, tools } from './tools.ts';
import { exists } from '../../system/if-there.ts';

/** Looks at everything and changes nothing. */
export async function inspectAll({ env, signal }: Pick<Context, 'env' | 'signal'>): Promise<Check[]> {
	const [system, temporal, { check, config }] = await Promise.all([
		Promise.all(tools.map(tool => inspectTool(tool, signal))),
		inspectTemporal(cacheDirectory(env)),
		inspectConfig(homeDirectory(env)),
	]);
	// Not beside the others: on a busy machine KVM would be taken for one that hangs.
	const qemu = await inspectQemu({
		cacheDirectory: cacheDirectory(env),
		setting: config?.host.accelerator ?? 'auto',
		machineUids: config?.host.machineUids ?? defaultUserRange,
		signal,
		configPath: join(homeDirectory(env), 'config.yaml'),
	});
	const isRoot = process.getuid?.() === 0;
	return [
		{ name: 'node', purpose: 'runs Rouse', ok: true, version: process.versions.node, problem: null, fix: null },
		...system.map((finding, index) => ({
			...finding,
			fix: finding.ok ? null : installCommand([tools[index]?.debianPackage ?? finding.name], isRoot),
		})),
		temporal,
		...(await inspectDatabase(homeDirectory(env), cacheDirectory(env), config)),
		await inspectIsolation(config),
		limits,
		...qemu,
		check,
	];
}

async function inspectTemporal(cache: string): Promise<Check> {
	const about = { name: 'temporal', purpose: 'keeps every recovery durable' };
	let found: FoundTemporal | undefined;
	try {
		await checkCache(cache); // a program in it is asked for its version
		found = await findTemporal(cache);
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		return { ...about, ok: false, version: null, problem: error.message, fix: error.hint ?? null };
	}
	return {
		...about,
		ok: found !== undefined,
		version: found ? `server ${found.server}` : null,
		problem: found ? null : `neither in PATH nor in the cache is one that was tried: ${triedText()}`,
		fix: found ? null : 'rouse setup',
	};
}

/** Told, since nobody else would: on a host of many machines one that has gone wild takes what the others need. */
const limits: Check = {
	name: 'limits',
	purpose: 'what a machine may take of its host',
	ok: true,
	version: "none of Rouse's own: put the supervisor into a unit or cgroup that has some",
	problem: null,
	fix: null,
};

/** Whether other users of this machine are kept away from the embedded Temporal server. */
async function inspectIsolation(config: Config | undefined): Promise<Check> {
	const about = { name: 'isolation', purpose: 'keeps other users away from Temporal' };
	const { address, isolation } = config?.temporal ?? {};
	if (address !== undefined) return { ...about, ok: true, version: 'of a server elsewhere', problem: null, fix: null };
	if (isolation === 'none')
		return {
			...about,
			ok: true,
			version: 'none, as config.yaml says: all can do what Rouse can',
			problem: null,
			fix: null,
		};
	try {
		const options = await findIsolation();
		return { ...about, ok: true, version: `unshare ${options.join(' ')}`, problem: null, fix: null };
	} catch (thrown) {
		const { message, hint = null } = asRouseError(thrown);
		return { ...about, ok: false, version: null, problem: message, fix: hint };
	}
}

function triedText(): string {
	return temporalTried.map(({ cli, server }) => `${cli} with server ${server}`).join(', ');
}

export async function inspectConfig(home: string): Promise<{ check: Check; config: Config | undefined }> {
	const about = { name: 'config.yaml', purpose: `settings of the installation in ${home}` };
	try {
		const config = await loadConfig({ home });
		return { config, check: { ...about, ok: true, version: await whatIsThere(home), problem: null, fix: null } };
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		const fix = error.hint ?? `edit ${home}/config.yaml`;
		return { config: undefined, check: { ...about, ok: false, version: null, problem: error.message, fix } };
	}
}

/** Neither has to be there; who thinks that it is looks for the wrong fault. */
async function whatIsThere(home: string): Promise<string> {
	if (!(await exists(home))) return 'no home yet: rouse up makes it';
	return (await exists(join(home, 'config.yaml'))) ? 'there' : 'not there: all defaults';
}
