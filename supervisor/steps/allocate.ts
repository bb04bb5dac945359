import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import { mustLeadNowhere } from '../../model/isolated-network.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { removeFileDurably } from '../../system/durable-file.ts';
import { expectPlatform, type Recovery } from '../recovery/recovery.ts';
import { change } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/** State first, then targets, then their maps. A repeat finds what is there and goes on. */
export async function allocate(context: StepContext, { plan }: { plan: RecoveryPlan }): Promise<Nothing> {
	const { recovery, host, signal } = context;
	const known = recovery.state.plan;
	if (known !== null && !isDeepStrictEqual(known, plan))
		throw new RouseError('identity_conflict', `recovery ${recovery.name} was allocated with another plan`);
	if (recovery.state.done.includes('allocate')) return {};
	// One that was taken stays: its guest may depend on it, whatever becomes of the configuration.
	if (known === null) await host.mustBeConfigured(plan.repository);
	mustBeAsReserved(recovery, plan);
	expectPlatform(recovery.name, plan, host.platform.kind);
	const elsewhere = known ? recovery.state.elsewhere : (await host.findElsewhere(plan.repository)) !== undefined;
	await recovery.change(change.plan(plan), change.elsewhere(elsewhere));
	await host.reached('allocate-planned');
	const { machine, disks } = recovery.equipment;
	await machine.makeTargets({ signal });
	await host.reached('allocate-targets');
	const targets = await machine.openTargets({ signal });
	for (const [index, { name, image, mapPath }] of disks.entries()) {
		const target = targets[index];
		if (target === undefined) throw new RouseError('internal', `the platform made no target for ${name}`);
		// A map tells of one target: that of an attempt whose target is gone says nothing about this one. Nothing was
		// restored before this step is done.
		await removeFileDurably(mapPath);
		const identity = restoredMapIdentity(recovery.recoveryId, image, target.identity);
		await createRestoredMap(mapPath, identity, { targetReadsZero: target.readsZero });
		await host.reached(`allocate-map-${name}`);
	}
	await recovery.change(change.done('allocate'));
	return {};
}

/** Whether it is a drill's decides who may throw it away: that is said twice, and must be the same. */
function mustBeAsReserved({ name, state: { request } }: Recovery, { drill, nics }: RecoveryPlan): void {
	if (request !== null && request.drill?.name !== drill?.name)
		throw new RouseError('identity_conflict', `recovery ${name}: request and plan differ in whether it is a drill's`);
	if (drill) mustLeadNowhere(nics);
}
