/** The services of an installation in the care of systemd: its unit put there, and taken away. Each may be done again, from wherever it died. */
import { chmod, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { replaceFileDurably, syncDirectory } from '../../system/durable-file.ts';
import { exists, readIfThere } from '../../system/if-there.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import type { Installation } from '../../system/installation.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { type DownResult, takeDown } from '../down.ts';
import { serviceHolder } from '../services.ts';
import { whileUpOrDown } from '../start.ts';
import { unitText } from './unit.ts';

/** sd_booted(3): it is there as long as systemd is the first process. */
const booted = '/run/systemd/system';

/** What is asked of systemd, and where; a test has its own. */
export interface Systemd {
	unitDirectory: string;
	systemctl: (...args: string[]) => Promise<void>;
}

const systemOwn: Systemd = { unitDirectory: '/etc/systemd/system', systemctl };

export function unitName({ id }: Pick<Installation, 'id'>): string {
	return `rouse-${id}.service`;
}

/** The unit that is to keep the services; undefined where none was installed. */
export async function installedUnit(
	installation: Pick<Installation, 'id'>,
	{ unitDirectory }: Pick<Systemd, 'unitDirectory'> = systemOwn,
): Promise<string | undefined> {
	const unit = unitName(installation);
	return (await exists(join(unitDirectory, unit))) ? unit : undefined;
}

export async function hasSystemd(): Promise<boolean> {
	return await exists(booted);
}

export interface Installed {
	unit: string;
	path: string;
	/** Services that ran otherwise, and what goes on where it was started; null when systemd has kept them before. */
	moved: DownResult | null;
}

/** Systemd keeps the services when this returns; that they answer is for the caller to wait for. */
export async function installService(
	installation: Installation,
	{ signal, systemd = systemOwn }: { signal: AbortSignal; systemd?: Systemd },
): Promise<Installed> {
	const { home, cacheDirectory } = installation;
	const unit = unitName(installation);
	const path = join(systemd.unitDirectory, unit);
	const text = unitText({
		name: unit,
		home,
		cacheHome: join(cacheDirectory, '..'),
		node: process.execPath,
		main: join(checkoutDirectory, 'cli', 'main.ts'),
	});
	if ((await readIfThere(path)) !== text) await replaceFileDurably(path, text);
	await chmod(path, 0o644); // our umask lets nobody else read
	// Also when the file was as it is: a try may have died before systemd had read it.
	await systemd.systemctl('daemon-reload');
	await systemd.systemctl('enable', unit);
	const moved = await endOtherwiseKept(home, unit, systemd, signal);
	await systemd.systemctl('start', unit);
	const kept = async () => (await serviceHolder(home, 'keeper')) !== undefined;
	await waitFor(`the keeper of ${unit}`, kept, { timeoutMs: 60_000, everyMs: 50, signal });
	return { unit, path, moved };
}

/**
 * What a person has started by hand would go on in that person's session. The unit may stay with just that, or be at its start:
 * so it is stopped first, or it would end by itself after `start` had found it active.
 */
async function endOtherwiseKept(
	home: string,
	unit: string,
	{ systemctl: ask }: Systemd,
	signal: AbortSignal,
): Promise<DownResult | null> {
	const keeper = await serviceHolder(home, 'keeper');
	if (keeper !== undefined && (await isIn(unit, keeper.pid))) return null;
	await ask('stop', unit);
	const down = await whileUpOrDown(home, () => takeDown(home, () => undefined), signal);
	return keeper === undefined && down.stopped.length === 0 ? null : down;
}

/** By cgroups(7): a line for each hierarchy, whose end is the path of the process's group. */
async function isIn(unit: string, pid: number): Promise<boolean> {
	const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''); // it ended meanwhile
	return groups.split('\n').some(line => basename(line) === unit);
}

/** False where there was none. Services are down then; machines and movers go on. */
export async function removeService(
	installation: Pick<Installation, 'id'>,
	{ systemd = systemOwn }: { systemd?: Systemd } = {},
): Promise<boolean> {
	const unit = await installedUnit(installation, systemd);
	if (unit === undefined) return false;
	await systemd.systemctl('disable', '--now', unit);
	await rm(join(systemd.unitDirectory, unit), { force: true });
	await syncDirectory(systemd.unitDirectory);
	await systemd.systemctl('daemon-reload');
	return true;
}

async function systemctl(...args: string[]): Promise<void> {
	const { code, tail } = await runTool('systemctl', args, { hint: 'apt-get install systemd', wholeMs: 180_000 });
	if (code === 0) return;
	throw new RouseError('tool_failed', `systemctl ${args.join(' ')} ended with ${code}: ${tail.join(' ')}`, {
		hint: `journalctl -u ${args.at(-1)}`,
	});
}
