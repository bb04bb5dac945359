/** The seal: a writer that was stopped with an old block in its hand. */
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MoverProcesses, moverPrograms } from '../../supervisor/movers/processes.ts';
import type { HostParts } from '../../supervisor/recovery/host-parts.ts';
import { lockHolder, processStartTicks } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startInside } from '../equipment/inner-supervisor.ts';
import { MachineIo, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const blockBytes = 64 * 1024;

/** The guest writes where the stopped writer holds an old block; the switch; the writer goes on, if it still can. */
async function switchUnderLateWriter(
	t: TestContext,
	parts: Partial<HostParts>,
): Promise<{ io: MachineIo; wrote: boolean }> {
	const bytes = Buffer.concat([Buffer.alloc(blockBytes, 0x11), sampleDisk(1024 * 1024)]);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	const lateWriter = fileURLToPath(new URL('../equipment/late-writer.ts', import.meta.url));
	const movers = new MoverProcesses(host.installation, { ...moverPrograms, migration: lateWriter });
	await startInside(host, host.installation, { movers, ...parts });
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run();
	await recovery.restore();
	const config = join(host.directory('r1'), 'migration-mover.json');
	await waitFor('the writer to hold an old block', () => exists(`${config}.holds`), { timeoutMs: 20_000 });
	const writer = await lockHolder(join(host.directory('r1'), 'migration-mover.lock'));
	assert.ok(writer);

	const io = await MachineIo.open(recovery);
	await io.write(0, blockBytes, 0xbb);
	await recovery.step('switch-to-target', {});
	await io.verify(0, blockBytes, 0xbb);
	if ((await processStartTicks(writer.pid)) === writer.startTicks) {
		process.kill(writer.pid, 'SIGCONT');
		await waitFor('the late write', () => exists(`${config}.wrote`), { timeoutMs: 20_000 });
	}
	return { io, wrote: await exists(`${config}.wrote`) };
}

test('the seal ends a stopped writer before the switch, and its old block never lands', async t => {
	const { io, wrote } = await switchUnderLateWriter(t, {});
	assert.equal(wrote, false);
	await io.verify(0, blockBytes, 0xbb);
	io.close();
});

test('without the kill in the seal the old block lands after the commit, and the write of the guest is lost', async t => {
	const { io, wrote } = await switchUnderLateWriter(t, { endForSeal: async () => true });
	assert.equal(wrote, true);
	await assert.rejects(io.verify(0, blockBytes, 0xbb), /verification failed/);
	await io.verify(0, blockBytes, 0x11);
	io.close();
});

test('a writer that cannot be killed keeps the switch from beginning, and the guest goes on', async t => {
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), sampleDisk(1024 * 1024));
	const host = await SupervisedHost.create(t);
	let killable = false;
	await startInside(host, host.installation, { endForSeal: async mover => killable && mover.end() });
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run();
	await recovery.restore();
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'hypervisor_stuck' });
	const refused = await recovery.view();
	assert.deepEqual([refused.sealed, refused.chain, refused.power], [true, 'mover', 'on']);
	killable = true;
	await recovery.step('switch-to-target', {});
	assert.equal((await recovery.view()).chain, 'target');
});

async function exists(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
