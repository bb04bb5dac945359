/** A recovery over real files, by a supervisor whose platform and movers only remember what they were told. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { restoredMapIdentity, targetIdentity } from '../../movers/restored-map/identity.ts';
import { openRestoredMapWriter } from '../../movers/restored-map/writer.ts';
import type { HostParts } from '../../supervisor/recovery/host-parts.ts';
import type { RecoveryState } from '../../supervisor/files/state.ts';
import { startInside } from './inner-supervisor.ts';
import { PretendHypervisor, PretendMovers } from './pretend-host.ts';
import { samplePlan, SteppedRecovery } from './recoveries.ts';
import { sampleHardware } from './sample-config.ts';
import { SupervisedHost } from './supervised-host.ts';

export const image = { sizeBytes: 100_000, chunkSizeBytes: 65536, contentDigest: 'b'.repeat(64), dataBytes: 0 };
export const plan = samplePlan({ directory: '/repository', image }, { hardware: sampleHardware });

export async function prepare(t: TestContext, parts: Partial<HostParts> = {}) {
	const host = await SupervisedHost.create(t);
	const hypervisor = new PretendHypervisor();
	const movers = new PretendMovers();
	const start = (more: Partial<HostParts> = {}) =>
		startInside(host, host.installation, { hypervisor, movers, ...parts, ...more });
	const inner = await start();
	return { host, hypervisor, movers, inner, start, recovery: new SteppedRecovery(host, plan) };
}

export async function stateOf(recovery: SteppedRecovery): Promise<RecoveryState> {
	return JSON.parse(await readFile(join(recovery.host.directory(recovery.name), 'state.json'), 'utf8'));
}

/** As the migration mover leaves it when all is copied. */
export async function restoreAll(recovery: SteppedRecovery): Promise<void> {
	const identity = restoredMapIdentity(recovery.recoveryId, image, await targetIdentity(recovery.target()));
	const map = await openRestoredMapWriter(join(recovery.host.directory(recovery.name), 'disk0.map'), identity);
	await map.append([{ first: 0, count: 2 }]);
	await map.close();
}
