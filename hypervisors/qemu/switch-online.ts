/**
 * The switch with QEMU alive: its graph is the truth, and every place an earlier attempt may have died at is told from
 * it (nodes, roots of the disks, jobs). The order is that of docs/architecture.md, "The switch".
 */
import type { CallOptions, MachineDefinition } from '../contract.ts';
import { abortable } from './abortable.ts';
import { localNode, nodeNames, overlayNode } from './block-nodes.ts';
import { commitOverlays } from './switch-commit.ts';
import { queryNodes, queryStatus } from './monitor-queries.ts';
import { removeOverlays } from './overlay.ts';
import type { OnlineSwitch } from './online-switch.ts';
import { patience } from './patience.ts';
import type { Qmp } from '../../qmp/client.ts';

/** Returns with the guest on its targets, running if it was to run, and the overlays gone. */
export async function switchOnline(online: OnlineSwitch, options: CallOptions): Promise<{ pauseMs: number }> {
	const { definition, paths, qmp, calls } = online;
	const signal = (await mayBeLeft(online)) ? options.signal : undefined;
	const leavable = { ...online, qmp: abortable(qmp, signal) };
	if (calls.chain === 'mover') await moveToTargets(leavable, signal);
	await leaveMover(leavable);
	const pauseMs = await commitOverlays(online, signal);
	await deleteNodes(qmp, definition, index => {
		const { top, overlayFile } = nodeNames(index);
		return [top, overlayFile];
	});
	await removeOverlays(definition, paths);
	await calls.reached('switch.overlay-removed');
	return { pauseMs };
}

/** False while the guest stands in the pause of an earlier attempt, or on an overlay that the mark has given up. */
async function mayBeLeft({ qmp, calls }: OnlineSwitch): Promise<boolean> {
	if (calls.chain === 'target') return false;
	return calls.resume !== true || (await queryStatus(qmp)).status !== 'paused';
}

/** The guest's overlay reads through to the target instead of the mover. */
async function moveToTargets(online: OnlineSwitch, signal: AbortSignal | undefined): Promise<void> {
	const { definition, paths, qmp, gate, calls } = online;
	const nodes = await queryNodes(qmp);
	for (const [index, disk] of definition.disks.entries())
		if (!nodes.has(nodeNames(index).local))
			await qmp.execute('blockdev-add', localNode(index, paths.target(disk), { readOnly: true }));
	await calls.reached('switch.local-added');
	// With a mover that is dead or holds a read, blockdev-reopen would stand still, and every monitor with it.
	await gate.clear({ patienceMs: patience.lingeringReads, signal });
	// All disks in one transaction. Done again by a later attempt it changes nothing.
	await qmp.execute('blockdev-reopen', {
		options: definition.disks.map((_disk, index) => overlayNode(index, nodeNames(index).local)),
	});
	await calls.reached('switch.reopened');
	await calls.mark('local');
	await calls.reached('switch.marked-local');
}

/**
 * Needs no living mover: nothing reads through these nodes since the reopen, and QEMU 7.2 deletes an idle NBD node at
 * once, its server dead or not.
 */
async function leaveMover({ definition, qmp, calls }: OnlineSwitch): Promise<void> {
	await deleteNodes(qmp, definition, index => {
		const { mover, now, wait } = nodeNames(index);
		return [mover, now, wait];
	});
	await calls.stopMountMover();
	await calls.reached('switch.mover-stopped');
}

async function deleteNodes(
	qmp: Qmp,
	definition: MachineDefinition,
	namesOf: (index: number) => string[],
): Promise<void> {
	const nodes = await queryNodes(qmp);
	for (const index of definition.disks.keys())
		for (const name of namesOf(index)) if (nodes.has(name)) await qmp.execute('blockdev-del', { 'node-name': name });
}

/** Every place that `reached` is called with, in order; offline some are left out. */
export const switchPlaces = [
	'switch.local-added',
	'switch.reopened',
	'switch.marked-local',
	'switch.mover-stopped',
	'switch.committing',
	'switch.ready',
	'switch.paused',
	'switch.pending',
	'switch.synced',
	'switch.marked-target',
	'switch.finalized',
	'switch.continued',
	'switch.overlay-removed',
] as const;
