import { isIPv6 } from 'node:net';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import { lockHolder } from '../../../system/process-lock.ts';
import { programPath } from '../../../system/program-path.ts';
import { runTool } from '../../../system/run-tool.ts';
import { endHolder, spawnLocked } from '../../../system/spawn-locked.ts';
import { waitFor } from '../../../system/wait.ts';
import { chapUser } from './chap.ts';
import { parallelRequests } from './storage.ts';
import { endOfLog, type IscsiTarget, isNotInstalled, type TargetOptions, type TargetPaths } from './definition.ts';

export const installTgt = 'apt-get install tgt';

/** In which tgtd does what it is told, unless it waits for its disk. */
const politeMs = 3_000;

/** Of the one target of a daemon; LUN 0 is tgtd's own. */
const ofTarget = ['--lld', 'iscsi', '--tid', '1'];
const ofUnit = [...ofTarget, '--mode', 'logicalunit', '--lun', '1'];

/**
 * A daemon of this target's own, on a control socket and a port of its own. The access list comes last: nobody reaches a
 * target that is half made.
 */
export async function startTargetDaemon(
	paths: TargetPaths,
	target: IscsiTarget,
	{ signal }: TargetOptions,
): Promise<void> {
	await spawnDaemon(paths, target);
	const tell = (args: readonly string[]) => mustAsk(paths, args, signal);
	if (!(await comesUp(paths, target, signal)))
		throw new RouseError(
			'machine_failed',
			`tgtd does not serve ${portal(target)}: ${await endOfLog(paths.daemonLog)}`,
			{
				hint: 'look whether another program has that port, and whether this host has that address',
			},
		);
	await tell([...ofTarget, '--mode', 'target', '--op', 'new', '--targetname', target.iqn]);
	// On the command line it can be read while tgtadm runs, by whoever has a login here: nobody but root has one.
	const account = ['--lld', 'iscsi', '--mode', 'account'];
	await tell([...account, '--op', 'new', '--user', chapUser, '--password', target.chapSecret]);
	await tell([...ofTarget, '--mode', 'account', '--op', 'bind', '--user', chapUser]);
	// Without a target: for discovery, which would tell the target's name to anybody.
	await tell([...account, '--op', 'bind', '--user', chapUser]);
	// Past the kernel's cache: else one read that waits for the repository holds up those that need not.
	await tell([...ofUnit, '--op', 'new', '--backing-store', paths.disk, '--bsoflags', 'direct']);
	await tell([...ofUnit, '--op', 'update', '--params', unitParameters(target)]);
	await tell([...ofTarget, '--mode', 'target', '--op', 'bind', '--initiator-address', 'ALL']);
}

/** As `startTargetDaemon` leaves it. One that is alive and answers nobody is not. */
export async function isServed(paths: TargetPaths, target: IscsiTarget, { signal }: TargetOptions): Promise<boolean> {
	if ((await lockHolder(paths.daemonLock)) === undefined) return false;
	if (!(await listens(paths, target, signal))) return false;
	const shown = await askIfItAnswers(paths, ['--lld', 'iscsi', '--mode', 'target', '--op', 'show'], signal);
	const lines = new Set(shown?.stdout.split('\n').map(line => line.trim()));
	const wanted = [`Target 1: ${target.iqn}`, `Backing store path: ${paths.disk}`, `SCSI SN: ${target.serial}`, 'ALL'];
	return shown?.code === 0 && wanted.every(line => lines.has(line));
}

/**
 * False when it has not ended yet: it waits for its disk, and ends when that does. It answers no initiator any more, for
 * which a connection that is lost is better than a read that failed. First it is told to: SIGTERM means nothing to tgtd 1.0.85.
 */
export async function endTargetDaemon(paths: TargetPaths): Promise<boolean> {
	if ((await lockHolder(paths.daemonLock)) === undefined) return true;
	const deletes = [
		[...ofTarget, '--mode', 'target', '--op', 'delete', '--force'],
		['--mode', 'system', '--op', 'delete'],
	];
	let answered = true;
	for (const args of deletes) answered &&= (await askIfItAnswers(paths, args)) !== undefined;
	if (answered && (await endsBy(paths, politeMs))) return true;
	return await endHolder(paths.daemonLock, { killTimeoutMs: 500 });
}

async function endsBy(paths: TargetPaths, timeoutMs: number): Promise<boolean> {
	const free = async () => (await lockHolder(paths.daemonLock)) === undefined;
	return await comesTrue('tgtd to end', free, { timeoutMs });
}

async function comesTrue(...wait: Parameters<typeof waitFor<true>>): Promise<boolean> {
	try {
		return await waitFor(...wait);
	} catch (error) {
		wait[2].signal?.throwIfAborted();
		if (asRouseError(error).code !== 'timeout') throw error;
		return false;
	}
}

async function spawnDaemon(paths: TargetPaths, target: IscsiTarget): Promise<void> {
	try {
		await spawnLocked({
			lockPath: paths.daemonLock,
			logPath: paths.daemonLog,
			command: 'tgtd',
			// A thread waits for each read that its disk has not answered.
			args: ['--foreground', '--nr_iothreads', `${parallelRequests}`, '--iscsi', `portal=${portal(target)}`],
			env: environment(paths),
			cwd: '/',
		});
	} catch (error) {
		if (asRouseError(error).code !== 'machine_failed') throw error;
		const said = await endOfLog(paths.daemonLog);
		if (isNotInstalled(said)) throw new RouseError('tool_missing', 'tgtd is not installed', { hint: installTgt });
		throw error;
	}
}

/** tgtd goes on without its portal when somebody else has it; when it answers it has tried. */
async function comesUp(paths: TargetPaths, target: IscsiTarget, signal: AbortSignal | undefined): Promise<boolean> {
	const look = async () => {
		const portals = await portalsOf(paths, signal);
		return portals !== undefined || (await lockHolder(paths.daemonLock)) === undefined;
	};
	const answers = await comesTrue('tgtd to answer', look, { timeoutMs: 20_000, everyMs: 50, signal });
	return answers && (await listens(paths, target, signal));
}

async function listens(paths: TargetPaths, target: IscsiTarget, signal: AbortSignal | undefined): Promise<boolean> {
	return (await portalsOf(paths, signal))?.includes(`Portal: ${portal(target)},`) === true;
}

/** As tgtd lists them; undefined when it does not answer. */
async function portalsOf(paths: TargetPaths, signal: AbortSignal | undefined): Promise<string | undefined> {
	const shown = await askIfItAnswers(paths, ['--lld', 'iscsi', '--mode', 'portal', '--op', 'show'], signal);
	return shown?.code === 0 ? shown.stdout : undefined;
}

function portal({ address, port }: IscsiTarget): string {
	return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

/** tgtd's own are the same for every target, and a host takes two disks with one identity for one disk. */
function unitParameters({ serial }: IscsiTarget): string {
	return `vendor_id=Rouse,product_id=Volume,product_rev=0,scsi_id=${serial},scsi_sn=${serial}`;
}

function environment({ control }: TargetPaths): NodeJS.ProcessEnv {
	return { PATH: programPath(), LC_ALL: 'C', TGT_IPC_SOCKET: control };
}

async function ask(paths: TargetPaths, args: readonly string[], signal?: AbortSignal) {
	return await runTool('tgtadm', args, { hint: installTgt, wholeMs: politeMs, signal, env: environment(paths) });
}

async function mustAsk(paths: TargetPaths, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
	const { code, tail } = await ask(paths, args, signal);
	if (code === 0) return;
	const what = args.filter((_, index) => args[index - 1] !== '--password').join(' ');
	const log = await endOfLog(paths.daemonLog);
	throw new RouseError('machine_failed', `tgtadm ${what} ended with ${code}: ${tail.join(' ')} ${log}`);
}

/** Undefined when it does not come back: it waits for its disk, or hangs. */
async function askIfItAnswers(paths: TargetPaths, args: readonly string[], signal?: AbortSignal) {
	try {
		return await ask(paths, args, signal);
	} catch (error) {
		signal?.throwIfAborted();
		if (asRouseError(error).code !== 'timeout') throw error;
		return undefined;
	}
}
