import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import { logicalVolumes } from '../../inspection/lvm/logical-volumes.ts';
import { readPhysicalVolume } from '../../inspection/lvm/physical-volume.ts';
import type { Volume } from '../../inspection/volume.ts';
import type { SourceMoment } from '../../sources/machine/documents.ts';
import { ownerOf } from '../../sources/machine/owner.ts';
import type { FarFacts } from '../../sources/ssh/facts/facts.ts';
import { keptIn } from '../../sources/ssh/far/scripted-platform.ts';
import { markedIn, marksOf, readRecord, recordTags, snapshotName } from '../../sources/ssh/marks.ts';
import { SshMachineSource } from '../../sources/ssh/source.ts';
import { extentBytes } from '../equipment/pretended-lvm/group.ts';
import { PretendedMachine, PretendedPlatform } from '../equipment/pretended-lvm/machine.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const lost = { code: 'moment_lost' };

function sourceOf(machine: PretendedMachine, more: { snapshot?: boolean } = {}): SshMachineSource {
	return new SshMachineSource({ uri: 'ssh://root@pretended/', platform: new PretendedPlatform(machine), ...more });
}

async function begun(machine: PretendedMachine, source = sourceOf(machine)): Promise<SourceMoment> {
	const described = await source.describe(signal);
	const plan = await source.plan(described, null, signal);
	const { identity } = described;
	const owner = ownerOf(randomUUID(), 'web01', identity);
	return await source.begin({ tag: randomUUID(), owner, identity, described, plan, since: null }, signal);
}

async function wholeDisk(source: SshMachineSource, moment: SourceMoment, key: string): Promise<Buffer> {
	const { source: disk } = await source.open(moment, key, {}, signal);
	const bytes = Buffer.alloc(disk.sizeBytes);
	await disk.read(0, bytes, signal);
	return bytes;
}

function volume(name: string, bytes: Buffer): Volume {
	return { name, sizeBytes: bytes.length, read: async (at, length) => Buffer.from(bytes.subarray(at, at + length)) };
}

suite('a moment of a machine that is read over SSH', () => {
	test('its disks are those of a group without snapshots, and its volumes are what they were', async () => {
		const machine = new PretendedMachine();
		const root = Buffer.from(machine.group.readVolume('root'));
		const source = sourceOf(machine);
		const moment = await begun(machine, source);
		assert.deepEqual([moment.together, moment.disks.map(({ consistency }) => consistency)], [true, ['crash', 'crash']]);
		machine.group.write(machine.vda, 0, noise(machine.vda.length, 20));
		const vda = await wholeDisk(source, moment, 'serial-one');
		const vdb = (await wholeDisk(source, moment, 'serial-two')).subarray(128 * 1024);
		const found = await Promise.all([readPhysicalVolume(volume('vda', vda)), readPhysicalVolume(volume('vdb2', vdb))]);
		const logical = logicalVolumes(found.filter(one => one !== undefined));
		const volumes = logical.map(one => ('volume' in one ? one.volume : assert.fail(one.why)));
		assert.deepEqual(
			volumes.map(({ name }) => name),
			['LVM vg-main/root', 'LVM vg-main/data'],
		);
		assert.ok((await volumes[0]?.read(0, root.length))?.equals(root));
		const free = vda.subarray((1 + 6) * extentBytes, (1 + 8) * extentBytes);
		assert.ok(
			free.every(byte => byte === 0),
			'what no volume has is zeros',
		);
	});

	test('volumes that are written to between their snapshots are of no one moment, after three tries; a superblock is nothing', async () => {
		const machine = new PretendedMachine();
		let writes = 0;
		const [one] = machine.group.volumes;
		machine.afterSnapshot = origin => {
			// The first of `root` lies at the beginning of the first disk's extents.
			if (origin === one?.name) machine.group.write(machine.vda, extentBytes, noise(4096, ++writes));
		};
		const quiet = await begun(machine);
		assert.equal(quiet.together, true);
		const source = sourceOf(machine);
		await source.abandon(quiet, signal);
		writes = 0;
		machine.afterSnapshot = () => {
			writes++;
			// Of the other one as well, or it would be the last in the next try.
			for (const extent of [1, 1 + 8])
				machine.group.write(machine.vda, extent * extentBytes + 8192, noise(4096, writes));
		};
		const busy = await begun(machine);
		assert.deepEqual([busy.together, busy.disks.map(({ consistency }) => consistency)], [false, ['none', 'none']]);
		assert.equal(writes, 3 * 2);
		assert.equal(markedIn(machine.volumes()).length, 2, 'one set is left');
	});

	test('a volume that was written to between the snapshots gets the last one in the next try', async () => {
		const machine = new PretendedMachine();
		const made: string[] = [];
		machine.afterSnapshot = origin => {
			made.push(origin);
			machine.group.write(machine.vda, extentBytes + 8192, noise(4096, made.length));
		};
		assert.equal((await begun(machine)).together, true);
		assert.deepEqual(made, ['root', 'data', 'data', 'root']);
	});

	test('what lies outside of LVM and is written to, and snapshots that are full, are found out at the end', async () => {
		for (const harm of [
			({ vdb }: PretendedMachine) => void vdb.writeUInt8(vdb.readUInt8(64 * 1024) ^ 0xff, 64 * 1024),
			(one: PretendedMachine) => void (one.atSync = () => void one.vdb.fill(7, 64 * 1024, 65 * 1024)),
			({ group }: PretendedMachine) => {
				for (const one of group.snapshots) one.isFull = true;
			},
		]) {
			const machine = new PretendedMachine();
			const source = sourceOf(machine);
			const { source: disk } = await source.open(await begun(machine, source), 'serial-two', {}, signal);
			await disk.checkUnchanged?.(signal);
			harm(machine);
			await assert.rejects(async () => disk.checkUnchanged?.(signal), lost);
		}
	});

	test('changes of the group meanwhile do no harm, until what was noted of it before is written over', async () => {
		const machine = new PretendedMachine();
		const expected = Buffer.from(machine.content('serial-one'));
		const moment = await begun(machine);
		for (let change = 0; change < 5; change++) machine.group.note();
		assert.ok((await wholeDisk(sourceOf(machine), moment, 'serial-one')).equals(expected));
		for (let change = 0; change < 60; change++) machine.group.note();
		await assert.rejects(wholeDisk(sourceOf(machine), moment, 'serial-one'), lost);
	});

	test('a group that is changed after LVM was asked about it, or that LVM does not know, is not begun with', async () => {
		for (const [code, change] of [
			['source_changed', (told: FarFacts) => told.groups.map(group => ({ ...group, vg_seqno: group.vg_seqno - 1 }))],
			['source_invalid', () => []],
		] as const) {
			const machine = new PretendedMachine();
			const facts = machine.facts.bind(machine);
			machine.facts = () => {
				const told = facts();
				return { ...told, groups: change(told) };
			};
			await assert.rejects(begun(machine), { code });
			assert.deepEqual(markedIn(machine.volumes()), []);
		}
	});

	test('a volume that grew between two snapshots is not begun with', async () => {
		const machine = new PretendedMachine();
		const volumes = machine.volumes.bind(machine);
		machine.volumes = () =>
			volumes().map(one =>
				one.lv_name === 'data' && machine.group.snapshots.length > 0
					? { ...one, lv_size: one.lv_size + extentBytes }
					: one,
			);
		await assert.rejects(begun(machine), { code: 'source_changed' });
		assert.equal(machine.group.snapshots.length, 0);
	});

	test('what a session that was cut is still making when its import is given up is removed as well', async () => {
		const machine = new PretendedMachine();
		const source = sourceOf(machine);
		const { tag, owner, identity } = await begun(machine, source);
		const late = snapshotName(tag, 2);
		machine.underWay = () => {
			machine.underWay = () => {};
			machine.group.snapshot(late, 'data', marksOf({ tag, owner, set: randomUUID() }));
		};
		await source.abandon({ tag, owner, identity }, signal);
		machine.underWay(); // whatever was not waited for
		assert.equal(machine.group.snapshots.length, 0);
	});

	test('metadata of LVM that has not the sum of its header is not begun with: LVM would refuse the disk', async () => {
		const machine = new PretendedMachine();
		for (const disk of [machine.vda, machine.vdb]) disk.write('grp-Main', disk.indexOf('grp-main'), 'latin1');
		await assert.rejects(begun(machine), { code: 'source_changed' });
	});

	test('a disk that is partitioned otherwise since then is lost', async () => {
		const machine = new PretendedMachine();
		const moment = await begun(machine);
		const facts = machine.facts.bind(machine);
		machine.facts = () => {
			const told = facts();
			told.places.set('vdb2', { startBytes: 192 * 1024, lengthBytes: 10 * extentBytes });
			return told;
		};
		await assert.rejects(sourceOf(machine).open(moment, 'serial-two', {}, signal), lost);
	});

	test('without snapshots the disks are read as they lie there, by no name and of no consistency, and nothing is made', async () => {
		const machine = new PretendedMachine();
		const source = sourceOf(machine, { snapshot: false });
		const moment = await begun(machine, source);
		assert.deepEqual([moment.moment, moment.together], [null, false]);
		assert.ok((await wholeDisk(source, moment, 'serial-two')).equals(machine.vdb));
		assert.deepEqual(markedIn(machine.volumes()), []);
	});

	test('a record in tags comes back, and one of which a piece is missing does not', () => {
		const record = { text: noise(4000, 21).toString('base64'), numbers: [1, 2] };
		const set = randomUUID();
		const tags = recordTags(record, set);
		assert.ok(tags.length > 1 && tags.every(tag => /^[\w.+/=!:&#-]{1,1024}$/.test(tag)));
		assert.deepEqual(readRecord([...recordTags({}, randomUUID()), ...tags.toReversed()], set), record);
		assert.equal(readRecord(tags.slice(1), set), undefined);
		assert.equal(readRecord([`rouse.record.${set}.0.1=AAAA`], set), undefined);
	});

	test('what a snapshot has kept is read off the kernel’s words; what is not understood is much', () => {
		const line = (used: number) =>
			`vg/rouse_1_0 0 2097152 snapshot 253:3 253:4 P 8 0 2097152 snapshot ${used}/204800 16`;
		assert.deepEqual(keptIn(line(16)), { chunkBytes: 4096, chunks: 0 });
		assert.deepEqual(keptIn(line(24)), { chunkBytes: 4096, chunks: 1 });
		for (const odd of ['', 'vg/rouse_1_0 0 2097152 snapshot 253:3 253:4 P 8 0 2097152 snapshot Invalid'])
			assert.equal(keptIn(odd).chunks, Number.POSITIVE_INFINITY);
	});
});
