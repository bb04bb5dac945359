import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { MoverProcesses } from '../../supervisor/movers/processes.ts';
import { temporaryDirectory } from './captive.ts';
import { HypervHost } from './hyperv-host.ts';
import { type InnerSupervisor, startInside } from './inner-supervisor.ts';
import { samplePlan, SteppedRecovery } from './recoveries.ts';
import { sampleDisk, storeDisk } from './stored-disk.ts';
import { SupervisedHost } from './supervised-host.ts';

const MiB = 2 ** 20;

/** A recovery of a stored disk on a simulated Windows host, with its supervisor and nothing recovered yet. `patienceMs`: the initiator's. */
export async function hypervRecovery(t: TestContext, options: { patienceMs?: number; lockMs?: number } = {}) {
	const bytes = sampleDisk(24 * MiB);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	const { installation } = host;
	const hyperv = await HypervHost.start(await temporaryDirectory(t), options);
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	const iscsi = join(installation.runDirectory, recovery.recoveryId.slice(0, 8), 'iscsi');
	const supervisors: InnerSupervisor[] = [];
	host.after(async () => {
		// First: it starts anew what is ended.
		for (const one of supervisors) await one.stop();
		await hyperv.windows.losePower();
		await stopTarget({ directory: iscsi });
		await hyperv.end();
	});
	const movers = new MoverProcesses(installation);
	const start = async () => {
		const started = await startInside(t, installation, { platform: hyperv.platform, movers });
		supervisors.push(started);
		return started;
	};
	const expected = Buffer.from(bytes);
	const guest = () => hyperv.windows.guest(recovery.recoveryId);
	/** The supervisor tries a switch again by itself: meanwhile the machine is saved, and its guest asks for nothing. */
	const awake = async () => {
		await guest().untilResumed();
		return guest();
	};
	const write = async (at: number, content: Buffer) => {
		await (await awake()).write(0, at, content);
		await (await awake()).flush();
		content.copy(expected, at);
	};
	const reads = async (at: number) =>
		assert.ok((await (await awake()).read(0, at, 4096)).equals(expected.subarray(at, at + 4096)), `at ${at}`);
	const supervisor = await start();
	/** `start`: the next one, after `supervisor.stop`. `iscsi`: of the target. */
	return { host, hyperv, recovery, stored, movers, supervisor, start, iscsi, expected, guest, write, reads };
}
