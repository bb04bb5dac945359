/** A machine on a simulated Hyper-V host that is ready for its switch. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import type { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import type { Overlay } from '../../hypervisors/hyperv/hardware.ts';
import { waitFor } from '../../system/wait.ts';
import { type HypervBench, makeHypervBench } from './hyperv-bench.ts';

export interface Readied {
	bench: HypervBench;
	guest: GuestModel;
	record: SwitchRecord;
}

/** Runs from the mover, has written, and all blocks are restored. */
export async function readiedHyperv(t: TestContext, overlay: Overlay): Promise<Readied> {
	const bench = await makeHypervBench({ overlay });
	t.after(() => bench.dispose());
	return await readiedOn(bench);
}

/** What was begun of it goes on. */
export async function readiedOn(bench: HypervBench): Promise<Readied> {
	const guest = await startedGuest(bench);
	for (let n = 0; n < 3; n++) assert.ok(await guest.write(), 'the guest does not run');
	await restoreTargets(bench);
	return { bench, guest, record: new SwitchRecord(bench, guest) };
}

export const power = async (bench: HypervBench) => (await anew(bench, machine => machine.observe())).power;
export const attempt = ({ bench, record }: Readied) => anew(bench, machine => machine.switchToTarget(record));

/** Whatever reaches it there waits until it is released. */
export async function heldAt({ windows: { faults } }: HypervBench, point: string): Promise<void> {
	await waitFor(point, async () => faults.heldAt(point) > 0, { timeoutMs: 30_000 });
}
