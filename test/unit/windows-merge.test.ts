/** Overlays on their targets at the simulated host, and what merges leave that do not end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionDropped } from '../../hypervisors/hyperv/simulator/faults.ts';
import {
	basePath,
	madeMachine,
	merge,
	overlayPath,
	refuses,
	reparent,
	type SampleHost,
	sampleHost,
	sampleRecovery,
	startOn,
	targetPath,
} from '../equipment/windows-host.ts';

const recoveryId = sampleRecovery;
const MiB = 2 ** 20;

/** On its target with a write of its guest, and off. */
async function readyToMerge(sample: SampleHost): Promise<{ targetId: string; written: Buffer }> {
	const targetId = await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	const written = Buffer.alloc(3 * MiB, 7);
	await guest.write(0, MiB, written);
	await guest.powerOff();
	await sample.must('reparent', reparent(targetId));
	return { targetId, written };
}

for (const mergeChangesIdFirst of [false, true])
	test(`a merge that was cut short, or has ended and left its overlay, is done when it is asked again; id of content first: ${mergeChangesIdFirst}`, async t => {
		const sample = await sampleHost(t);
		const { written } = await readyToMerge(sample);
		const conditions = { mergeChangesIdFirst, brokenLinksAreUntold: true };
		const points = ['Merge-VHD', 'Merge-VHD piece', 'Merge-VHD piece', 'Merge-VHD done', 'Set-VMHardDiskDrive'];
		for (const point of points) {
			sample.host.faults.change(conditions);
			sample.host.faults.at(point, { kind: 'power-loss' });
			await assert.rejects(sample.ask('merge', merge), SessionDropped, point);
			await sample.boot();
			const [disk] = (await disksOf(sample)) ?? [];
			assert.equal(disk?.files[0]?.path, overlayPath, "the machine's disk is a file that is there");
		}
		sample.host.faults.change(conditions);
		sample.host.faults.at('Set-VMHardDiskDrive done', { kind: 'power-loss' });
		await assert.rejects(sample.ask('merge', merge), SessionDropped);
		await sample.boot();
		await sample.must('merge', merge);
		await sample.must('start', startOn(null, targetPath));
		assert.ok((await sample.host.guest(recoveryId).read(0, MiB, written.length)).equals(written));
		await assert.rejects(sample.removeFile(overlayPath), /ENOENT/);
	});

test('a merge that failed half-way leaves a machine that starts once its overlay is linked to the target anew', async t => {
	const sample = await sampleHost(t);
	const { targetId, written } = await readyToMerge(sample);
	sample.host.faults.change({ mergeChangesIdFirst: true, brokenLinksAreUntold: true });
	sample.host.faults.at('Merge-VHD piece', { kind: 'fail', rule: 'diskFull' });
	await refuses(sample, '0x80070070', 'merge', merge);
	await refuses(sample, '0xC03A000E', 'start', startOn(targetPath));
	await sample.must('reparent', reparent(targetId, { anew: true }));
	await sample.must('start', startOn(targetPath));
	assert.ok((await sample.host.guest(recoveryId).read(0, MiB, written.length)).equals(written));
});

test("`reparent` takes an overlay whose parent is away, when it is the machine's", async t => {
	const sample = await sampleHost(t);
	const targetId = await madeMachine(sample);
	await sample.boot();
	sample.host.faults.change({ brokenLinksAreUntold: true });
	await refuses(sample, '0xC03A000D', 'chain', { recoveryId });
	await sample.must('reparent', reparent(targetId));
	await sample.must('start', startOn(targetPath));
});

async function disksOf({ ask }: SampleHost) {
	const answer = await ask('chain', { recoveryId });
	return answer.ok ? answer.result.disks : undefined;
}
