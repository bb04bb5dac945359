/** The switch with QEMU dead: the mark is the truth. */
import { RouseError } from '../../model/errors.ts';
import { runTool } from '../../system/run-tool.ts';
import type { CallOptions, MachineDefinition, MachineDisk, SwitchCalls } from '../contract.ts';
import { localChainUri } from './block-nodes.ts';
import { qemuEnvironment } from './confinement.ts';
import type { QemuHost } from './host.ts';
import { exists } from '../../system/if-there.ts';
import { removeOverlays, spaceOrIo, syncFile } from './overlay.ts';
import { inRoom, roomOf, withoutStart } from './own-room.ts';
import type { MachinePaths } from './paths.ts';

/**
 * Commits the overlays into the targets and removes them. Until the mark says `target` the overlays are the truth and
 * stay as they are, so that it may be done again from the start, by whomever.
 */
export async function switchOffline(
	definition: MachineDefinition,
	paths: MachinePaths,
	host: QemuHost,
	calls: SwitchCalls,
	{ signal }: CallOptions,
): Promise<void> {
	signal?.throwIfAborted();
	if (calls.chain === 'mover') {
		await calls.mark('local');
		await calls.reached('switch.marked-local');
	}
	await calls.stopMountMover();
	await calls.reached('switch.mover-stopped');
	if (calls.chain !== 'target') {
		await calls.reached('switch.committing');
		for (const disk of definition.disks) await commitOffline(definition, disk, { paths, host, signal });
		for (const disk of definition.disks) await syncFile(paths.target(disk));
		await calls.reached('switch.synced');
		await calls.mark('target');
		await calls.reached('switch.marked-target');
	}
	await removeOverlays(definition, paths);
	await calls.reached('switch.overlay-removed');
}

/** It reports every percent: of the largest overlay on a slow disk, one takes minutes. */
const commitSilenceMs = 15 * 60_000;

async function commitOffline(
	definition: MachineDefinition,
	disk: MachineDisk,
	{ paths, host, signal }: { paths: MachinePaths; host: QemuHost; signal: AbortSignal | undefined },
): Promise<void> {
	if (!(await exists(paths.overlay(disk))))
		throw new RouseError('machine_failed', `${paths.overlay(disk)}: the protective snapshot is not there`);
	// As the machine's user: what its guest has made of the overlay names no file but the machine's own.
	const room = withoutStart(roomOf(await host.users.of(definition, paths), definition, paths));
	const args = ['commit', '-p', '-d', localChainUri(disk, paths)];
	const commit = await inRoom(room, { command: host.imageTool, args });
	// Under the machine's lock, so that no QEMU starts beside it, and a supervisor that comes after a crash of this one
	// finds it. -d: the overlay is not emptied afterwards.
	const { code, stderr } = await runTool(
		'flock',
		['-n', '-F', '-E', '75', paths.lock, commit.command, ...commit.args],
		{ silenceMs: commitSilenceMs, hint: 'apt-get install util-linux', env: qemuEnvironment(), signal },
	);
	if (code === 0) return;
	if (code === 75) throw new RouseError('lock_held', `${paths.lock} is held: the machine was started in the meantime`);
	throw new RouseError(spaceOrIo(stderr), `commit of ${paths.overlay(disk)}: ${stderr.trim() || `exit code ${code}`}`);
}
