/** SIGKILL of the supervisor at every place of the switch, with a machine that writes; nobody asks again after it. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { temporaryDirectory } from '../equipment/captive.ts';
import { fileMustHold, MachineIo, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, type StoredDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const blockBytes = 64 * 1024;
const bytes = sampleDisk(1024 * 1024 + 100, 7);
let stored: StoredDisk;
let directory: string;

before(async () => {
	directory = await temporaryDirectory({ after: () => undefined });
	stored = await storeDisk(join(directory, 'repository'), bytes);
});
after(() => rm(directory, { recursive: true, force: true }));

/** Before the switch has begun, the step is asked for again, as a workflow does it. */
const beforeBegin = ['seal-marked', 'sealed'];
const afterBegin = [
	'switch-begun',
	'switch.local-added',
	'switch.reopened',
	'mark-local',
	'mount-mover-stopped',
	'switch.committing',
	'switch.ready',
	'resume-remembered',
	'switch.paused',
	'switch.pending',
	'switch.synced',
	'mark-target',
	'switch.finalized',
	'switch.continued',
	'switch.overlay-removed',
	'switch-done',
];

for (const place of [...beforeBegin, ...afterBegin])
	test(`supervisor killed at ${place}: the guest goes on and no write is lost`, async t => {
		const host = await SupervisedHost.create(t);
		await host.start({ killAt: place });
		const recovery = new SteppedRecovery(host, samplePlan(stored));
		await recovery.run();
		await recovery.restore();
		const expected = Buffer.from(bytes);
		const io = await MachineIo.open(recovery);
		const write = async (block: number, pattern: number) => {
			await io.write(block * blockBytes, blockBytes, pattern);
			expected.fill(pattern, block * blockBytes, (block + 1) * blockBytes);
		};
		await write(1, 0xa1);

		await assert.rejects(recovery.step('switch-to-target', {}), { code: 'supervisor_unreachable' });
		await host.ended();
		// Nobody can pause the machine now: what it writes here is the guest's, if it runs.
		if (await runs(io)) await write(2, 0xa2);
		await host.start();
		if (beforeBegin.includes(place)) await recovery.step('switch-to-target', {}, { again: true });
		const view = await recovery.viewed('switched', ({ done }) => done.includes('switch-to-target'));
		assert.deepEqual([view.chain, view.blocked], ['target', null]);
		assert.ok(await runs(io), 'the guest runs');
		await write(3, 0xa3);
		await io.verify(blockBytes, blockBytes, 0xa1);
		io.close();
		await recovery.step('finalize', {});
		await host.client.machinePower('r1', 'off');
		await fileMustHold(recovery.target(), expected);
	});

async function runs(io: MachineIo): Promise<boolean> {
	const status = await io.execute('query-status');
	return typeof status === 'object' && status !== null && 'running' in status && status.running === true;
}
