/** Linux hosts at the command line: what adding and removing one needs of this installation and of the person. */
import { resolve } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { SetupEvent } from '../../hypervisors/hyperv/host-setup/work.ts';
import { RouseError } from '../../model/errors.ts';
import { type Installation, loadConfig } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import type { LinuxHostRecord, WantedLinuxHost } from './linux/record.ts';
import type { LinuxParts } from './linux/work.ts';
import type { RemovalOptions } from './removal-options.ts';
import { showing } from './showing.ts';
import { untilReady } from './until-ready.ts';

interface LinuxOptions {
	ssh: { user: string; host: string };
	port: number;
	identity?: string | undefined;
	hostKey?: string | undefined;
	directory?: string | undefined;
	home?: string | undefined;
	installPackages?: boolean | undefined;
	dryRun?: boolean | undefined;
}

const ready = {
	/** A first start there compiles, on a machine that may be busy with other things. */
	timeoutMs: 5 * 60_000,
	otherwise: 'services run there, and none comes to Temporal',
	look: 'what its services say there (services/host-worker.log of its home)',
};

export async function addLinux(
	context: Context,
	installation: Installation,
	name: string,
	options: LinuxOptions,
): Promise<void> {
	const { ssh, port, directory = '/opt/rouse', home = '/var/lib/rouse', dryRun = false } = options;
	if (`${directory}/`.startsWith(`${home}/`))
		throw new RouseError('usage', `${directory}: what lies in its home ${home} is no place for the program`, {
			hint: 'name another place by --directory, or by --home',
		});
	const wanted: WantedLinuxHost = { name, ...ssh, port, directory, home };
	const { addLinuxHost, planLinuxHost } = await import('./linux/add.ts');
	const answer = { name, ssh: `${ssh.user}@${ssh.host}`, port, directory, home };
	await showing(context.output, async tell => {
		const parts = await linuxParts(context, installation, name, { ...options, tell });
		if (dryRun) {
			const { steps, facts } = await planLinuxHost(wanted, parts);
			return context.output.result({ dryRun, steps, facts, ...answer }, stepsText(name, steps));
		}
		const { added, facts } = await addLinuxHost(wanted, parts);
		const { hosts } = await loadConfig(installation);
		return context.output.result(
			{ added, hostId: hosts[name]?.id ?? null, facts, ...answer },
			`${name}: ${added ? 'added' : 'is added already'}; on it: ${directory}/bin/rouse\nNext: rouse recover start MACHINE@latest --host ${name}`,
		);
	});
}

export function stepsText(name: string, steps: readonly string[]): string {
	return steps.length === 0 ? `${name} is added already.` : `Would be made:\n  ${steps.join('\n  ')}`;
}

async function linuxParts(
	context: Context,
	installation: Installation,
	name: string,
	options: Pick<LinuxOptions, 'identity' | 'hostKey' | 'installPackages'> & { tell: (event: SetupEvent) => void },
): Promise<LinuxParts> {
	const { cacheDirectory } = installation;
	const { signal } = context;
	const { programArchive } = await import('../../appliance/program-archive.ts');
	const { readLinuxKey } = await import('./linux/add.ts');
	const { askAboutKey } = await import('./setup-parts.ts');
	return {
		installation,
		identityPath: options.identity === undefined ? undefined : resolve(options.identity),
		expectedHostKey: options.hostKey,
		confirmHostKey: key => askAboutKey(context, name, key, readLinuxKey),
		installPackages: options.installPackages ?? false,
		precheck: () => precheck(installation),
		archive: () => programArchive({ cacheDirectory, signal }),
		ready: hostId => untilReady(installation, hostId, { ...ready, signal }),
		tell: options.tell,
		signal,
	};
}

/** What it is told of, answers; and the program is that for its processor. */
async function precheck(installation: Installation): Promise<void> {
	const { planInvitation } = await import('./given.ts');
	const { refuseLocally, servedProblems } = await import('./local-problems.ts');
	const { to, repositories } = await planInvitation(installation);
	const looks = repositories.map(repository => servedProblems(installation, { to, repository }));
	const problems = new Set((await Promise.all(looks)).flat());
	if (process.arch !== 'x64') problems.add(`what is sent is this machine's own Node, which is one for ${process.arch}`);
	refuseLocally([...problems]);
}

/** Undoes {@link addLinux}. */
export async function removeLinux(
	context: Context,
	installation: Installation,
	record: LinuxHostRecord,
	{ identity, dryRun = false, forget = false, reason }: RemovalOptions,
): Promise<true> {
	const { name } = record.wanted;
	const { removeLinuxHost } = await import('./linux/remove.ts');
	const { mustBeIdle, withdrawInvited } = await import('./remove-invited.ts');
	await showing(context.output, async tell => {
		const parts = await linuxParts(context, installation, name, { identity, tell });
		const steps = await removeLinuxHost(record, parts, {
			dryRun,
			forget,
			mustBeIdle: () => mustBeIdle(context, name),
			withdraw: () => withdrawInvited(context, installation, name, { reason }),
		});
		const done = forget ? 'forgotten here; on the host nothing was touched' : 'removed';
		const text = dryRun ? `Would be removed:\n  ${steps.join('\n  ')}` : `${name}: ${done}`;
		context.output.result({ name, removed: !dryRun, dryRun, steps }, text);
	});
	return true;
}

/** It stands in scripts there. */
export function parseDirectory(text: string): string {
	if (/^(\/[A-Za-z\d._-]*[A-Za-z\d_-])+$/.test(text)) return text;
	throw new InvalidArgumentError(
		`"${text}": write an absolute path of letters, digits, ".", "_" and "-", as /opt/rouse.`,
	);
}
