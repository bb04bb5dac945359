import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { findTemporal, temporalServerLeast } from '../../keeper/temporal-cli.ts';
import { RouseError } from '../../model/errors.ts';
import { cacheDirectory, homeDirectory, loadConfig } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { installCommand } from './packages.ts';
import { type Finding, inspectTool, tools } from './tools.ts';

export interface Check extends Finding {
	/** The command that mends it; null when nothing has to be mended. */
	fix: string | null;
}

/** Looks at everything and changes nothing. */
export async function inspectAll({ env, signal }: Pick<Context, 'env' | 'signal'>): Promise<Check[]> {
	const [system, temporal, kvm, config] = await Promise.all([
		Promise.all(tools.map(tool => inspectTool(tool, signal))),
		inspectTemporal(cacheDirectory(env)),
		inspectKvm(),
		inspectConfig(homeDirectory(env)),
	]);
	const isRoot = process.getuid?.() === 0;
	return [
		{ name: 'node', purpose: 'runs Rouse', ok: true, version: process.versions.node, problem: null, fix: null },
		...system.map((finding, index) => ({
			...finding,
			fix: finding.ok ? null : installCommand([tools[index]?.debianPackage ?? finding.name], isRoot),
		})),
		temporal,
		kvm,
		config,
	];
}

async function inspectTemporal(cache: string): Promise<Check> {
	const found = await findTemporal(cache);
	return {
		name: 'temporal',
		purpose: 'keeps every recovery durable',
		ok: found !== undefined,
		version: found ? `server ${found.server}` : null,
		problem: found ? null : `neither in PATH (server ${temporalServerLeast} or newer) nor in the cache`,
		fix: found ? null : 'rouse setup',
	};
}

/** Its absence is no fault: machines run under emulation, slowly. Whether it works is tried by the supervisor. */
async function inspectKvm(): Promise<Check> {
	const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
		() => true,
		() => false,
	);
	const version = usable ? '/dev/kvm can be opened' : 'none: machines are emulated, which is many times slower';
	return { name: 'kvm', purpose: 'speed of the machines', ok: true, version, problem: null, fix: null };
}

async function inspectConfig(home: string): Promise<Check> {
	const name = 'config.yaml';
	const purpose = `settings of the installation in ${home}`;
	try {
		await loadConfig({ home });
		return { name, purpose, ok: true, version: null, problem: null, fix: null };
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		return { name, purpose, ok: false, version: null, problem: error.message, fix: `edit ${home}/config.yaml` };
	}
}
