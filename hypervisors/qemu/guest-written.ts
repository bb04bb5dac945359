import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';
import { qemuEnvironment } from './confinement.ts';
import type { QemuHost } from './host.ts';
import type { MachineMonitor } from './monitor.ts';
import { queryDiskUse } from './monitor-queries.ts';
import { installQemu } from './install.ts';
import { exists } from '../../system/if-there.ts';
import { inRoom, type Room, roomOf, withoutStart } from './own-room.ts';
import type { MachinePaths } from './paths.ts';
import { whatRuns } from './process.ts';
import { runTool } from '../../system/run-tool.ts';

/**
 * Whether the guest may have written to its disks since the snapshot; UEFI variables do not count. False is a promise:
 * every overlay is as it was made, so that the machine may begin anew in another way. What cannot be told counts as
 * written. Of a guest that runs it may change at once: asked of one that stands still or is off.
 */
export async function guestHasWritten(
	definition: MachineDefinition,
	paths: MachinePaths,
	host: Pick<QemuHost, 'imageTool' | 'users'>,
	monitor: MachineMonitor,
): Promise<boolean> {
	const running = await whatRuns(definition, paths);
	if (running === 'commit') return true;
	// Of what this QEMU wrote the file may not know yet: it keeps tables in memory until a flush. It counts itself, but
	// nothing of the QEMUs before it, whose writes are in the file as far as they outlived them. Hence both.
	if (running === 'machine') {
		const uses = await queryDiskUse(await monitor.open());
		if (definition.disks.some((_disk, index) => uses.get(index)?.changes !== 0)) return true;
	}
	// As the machine's user: what its guest has made of the overlay names no file but the machine's own.
	const room = withoutStart(roomOf(await host.users.of(definition, paths), definition, paths));
	for (const disk of definition.disks)
		if (await overlayHolds(paths.overlay(disk), host, { inUse: running === 'machine', room })) return true;
	return false;
}

const mapSchema = z.array(z.object({ present: z.boolean() }));

/** Anything that the overlay does not leave to what lies below: data, or zeroes that the guest wrote or discarded. */
async function overlayHolds(
	path: string,
	{ imageTool }: Pick<QemuHost, 'imageTool'>,
	{ inUse, room }: { inUse: boolean; room: Room | undefined },
): Promise<boolean> {
	if (!(await exists(path))) return true; // on its own disk already
	// The overlay alone: what it has on record below is the mount mover, which may be away.
	const image = `json:${JSON.stringify({ driver: 'qcow2', file: { driver: 'file', filename: path }, backing: null })}`;
	// -U reads past QEMU's lock. The tables are at rest: QEMU has not changed them, as it said before.
	const args = ['map', ...(inUse ? ['-U'] : []), '--output=json', image];
	const map = await inRoom(room, { command: imageTool, args });
	const { code, stdout, stderr } = await runTool(map.command, map.args, {
		silenceMs: 30_000,
		hint: installQemu,
		env: qemuEnvironment(),
	});
	if (code !== 0) throw new RouseError('io_failed', `${path} cannot be looked at: ${stderr.trim()}`);
	return mapSchema.parse(JSON.parse(stdout)).some(({ present }) => present);
}
