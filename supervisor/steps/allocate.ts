import { statfs } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity, targetIdentity } from '../../movers/restored-map/identity.ts';
import { removeFileDurably } from '../../system/durable-file.ts';
import { targetBytes } from '../machine-file.ts';
import { change } from '../state.ts';
import type { Nothing, StepContext } from '../step.ts';
import { allocatedBytes, makeTarget } from './target.ts';

/** State first, then targets, then their maps. A repeat finds what is there and goes on. */
export async function allocate(context: StepContext, { plan }: { plan: RecoveryPlan }): Promise<Nothing> {
	const { recovery, host, signal } = context;
	const known = recovery.state.plan;
	if (known !== null && !isDeepStrictEqual(known, plan))
		throw new RouseError('identity_conflict', `recovery ${recovery.name} was allocated with another plan`);
	if (recovery.state.done.includes('allocate')) return {};
	await recovery.change(change.plan(plan));
	await host.reached('allocate-planned');
	if (plan.allocate === 'start') await checkSpace(context, plan);
	for (const { name, image, targetPath, mapPath } of recovery.equipment.disks) {
		const fresh = await makeTarget(targetPath, targetBytes(image.sizeBytes), plan.allocate, signal);
		// A map tells of one file: that of an attempt whose target is gone says nothing about this one.
		if (fresh) await removeFileDurably(mapPath);
		await host.reached(`allocate-target-${name}`);
		const identity = restoredMapIdentity(recovery.recoveryId, image, await targetIdentity(targetPath));
		await createRestoredMap(mapPath, identity, { targetReadsZero: true });
		await host.reached(`allocate-map-${name}`);
	}
	await recovery.change(change.done('allocate'));
	return {};
}

async function checkSpace({ recovery }: StepContext, plan: RecoveryPlan): Promise<void> {
	let needed = 0;
	for (const { image, targetPath } of recovery.equipment.disks)
		needed += Math.max(0, targetBytes(image.sizeBytes) - (await allocatedBytes(targetPath)));
	const { bavail, bsize } = await statfs(recovery.places.directory);
	const free = bavail * bsize;
	if (free >= needed) return;
	throw new RouseError(
		'space_short',
		`${recovery.places.directory}: ${needed} bytes needed for ${plan.disks.length} disk(s), ${free} free`,
		{
			hint: 'make room, or allocate as blocks arrive: --allocate thin',
			details: { neededBytes: needed, freeBytes: free },
		},
	);
}
