import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { BlockReader } from '../../sources/ec2/block-reader.ts';
import { blockBytes, type BlockPage, type EbsBlock, type Ec2Cloud } from '../../sources/ec2/cloud.ts';
import { SnapshotDisk } from '../../sources/ec2/disk.ts';
import { Slots } from '../../system/slots.ts';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import { clockOf } from '../equipment/ec2/bench.ts';
import { MemoryCloud } from '../equipment/ec2/memory-cloud.ts';
import { MemoryRegion } from '../equipment/ec2/memory-region.ts';
import { collect, noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const sizeBytes = 8 * blockBytes;

/** A volume of eight blocks, of which 1, 2, 3 and 6 hold something. */
class Site {
	readonly region = new MemoryRegion();
	readonly cloud: MemoryCloud;
	readonly volumeId: string;

	constructor() {
		this.region.instances.set('i-1', {
			instanceId: 'i-1',
			state: 'running',
			type: '',
			account: null,
			zone: null,
			image: null,
			architecture: null,
			name: null,
			isWindows: false,
			bootMode: null,
			hasTpm: false,
			cpus: null,
			rootDevice: null,
			volumes: [],
			nics: [],
		});
		this.volumeId = this.region.attach('i-1', '/dev/xvda', sizeBytes);
		for (const index of [1, 2, 3, 6]) this.write(index, index);
		this.cloud = new MemoryCloud(this.region);
	}

	write(index: number, seed: number): void {
		const bytes = seed === 0 ? Buffer.alloc(blockBytes) : noise(blockBytes, seed);
		bytes.copy(this.region.content(this.volumeId), index * blockBytes);
	}

	/** Its id, and what the volume held. */
	snapshot(): { id: string; content: Buffer } {
		const { snapshotId } = this.region.snapshot(this.volumeId, {}, new Date(this.region.ms).toISOString());
		const kept = this.region.snapshots.get(snapshotId);
		assert.ok(kept);
		kept.snapshot.state = 'completed';
		return { id: snapshotId, content: Buffer.from(this.region.content(this.volumeId)) };
	}

	disk(snapshotId: string, since: string | null = null, cloud: Ec2Cloud = this.cloud, most = 32): SnapshotDisk {
		const reader = new BlockReader({ cloud, slots: new Slots(most), clock: clockOf(this.region) });
		return new SnapshotDisk({ cloud, reader, snapshotId, since, sizeBytes });
	}
}

async function whole(disk: SnapshotDisk): Promise<Buffer> {
	const bytes = Buffer.alloc(sizeBytes);
	await disk.read(0, bytes, signal);
	return bytes;
}

/** `1-3 data`, in blocks. */
function told(extents: readonly SourceExtent[]): string[] {
	const merged: { from: number; to: number; kind: string }[] = [];
	for (const { offsetBytes, lengthBytes, kind } of extents) {
		const [from, to] = [offsetBytes / blockBytes, (offsetBytes + lengthBytes) / blockBytes];
		const last = merged.at(-1);
		if (last?.kind === kind && last.to === from) last.to = to;
		else merged.push({ from, to, kind });
	}
	return merged.map(({ from, to, kind }) => `${from}-${to - 1} ${kind}`);
}

suite('a snapshot as a disk', () => {
	test('tells what it has, and the rest as zeros', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		const disk = site.disk(id);
		assert.deepEqual(told(await collect(disk.extents(signal))), [
			'0-0 zero',
			'1-3 data',
			'4-5 zero',
			'6-6 data',
			'7-7 zero',
		]);
		assert.ok((await whole(disk)).equals(content));
	});

	test('tells what changed; a block that only the snapshot before has is zeros', async () => {
		const site = new Site();
		const before = site.snapshot();
		site.write(2, 0);
		site.write(6, 66);
		site.write(7, 77);
		const { id, content } = site.snapshot();
		const disk = site.disk(id, before.id);
		assert.deepEqual(told(await collect(disk.extents(signal))), [
			'0-1 unchanged',
			'2-2 zero',
			'3-5 unchanged',
			'6-7 data',
		]);
		assert.ok((await whole(disk)).equals(content), 'unchanged parts can be read as well');
	});

	test('is listed to its end though the tokens of its pages expire while it is read', async () => {
		const site = new Site();
		const { id } = site.snapshot();
		const extents: SourceExtent[] = [];
		for await (const extent of site.disk(id).extents(signal)) {
			extents.push({ ...extent });
			site.region.age += 1;
		}
		assert.deepEqual(told(extents).length, 5);
	});

	test('is listed by its blocks where the token behind an empty page is not taken', async () => {
		const site = new Site();
		const { id } = site.snapshot();
		site.region.faults.push({ call: 'ebs:ListSnapshotBlocks', fault: 'token', skip: 1, times: 1 });
		let listed = 0;
		assert.equal(told(await collect(site.disk(id).extents(signal, () => (listed += 1)))).length, 5);
		assert.ok(listed >= 2, 'an empty page is told of as well');
		site.region.faults.push({ call: 'ebs:ListSnapshotBlocks', fault: 'token', times: 1 });
		await assert.rejects(collect(site.disk(id).extents(signal)), { code: 'source_unreachable' });
	});

	test('is read by new tokens when the old ones are not taken, listed once for all reads', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		const disk = site.disk(id);
		site.region.blocksInPage = 100;
		await collect(disk.extents(signal));
		site.region.age += 1;
		const before = site.region.callsOf('ebs:ListSnapshotBlocks').length;
		assert.ok((await whole(disk)).equals(content));
		// An empty page, and the one behind it.
		assert.equal(site.region.callsOf('ebs:ListSnapshotBlocks').length - before, 2);
	});

	test('gives up when AWS takes none of its own tokens', async () => {
		const site = new Site();
		const { id } = site.snapshot();
		site.region.faults.push({ call: 'ebs:GetSnapshotBlock', fault: 'token', times: 100 });
		await assert.rejects(site.disk(id).read(blockBytes, Buffer.alloc(blockBytes), signal), {
			code: 'source_unreachable',
		});
		assert.equal(site.region.callsOf('ebs:GetSnapshotBlock').length, 6);
	});

	test('asks again for a body that was cut, and gives up at last, without a cause', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		const cut = { call: 'ebs:GetSnapshotBlock', fault: 'cut', after: true } as const;
		site.region.faults.push({ ...cut, times: 5 });
		const into = Buffer.alloc(blockBytes);
		await site.disk(id).read(blockBytes, into, signal);
		assert.ok(into.equals(content.subarray(blockBytes, 2 * blockBytes)));
		site.region.faults.push({ ...cut, times: 6 });
		await assert.rejects(site.disk(id).read(blockBytes, into, signal), (error: Error & { code?: string }) => {
			assert.equal(error.code, 'source_unreachable');
			assert.equal(error.cause, undefined);
			return true;
		});
	});

	test('asks again when the SDK has used up its repeats', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		for (const fault of ['throttled', 'unreachable'] as const)
			site.region.faults.push({ call: 'ebs:GetSnapshotBlock', fault, times: 2 });
		const into = Buffer.alloc(blockBytes);
		await site.disk(id).read(blockBytes, into, signal);
		assert.ok(into.equals(content.subarray(blockBytes, 2 * blockBytes)));
	});

	test('waits for minutes while AWS asks for fewer calls, and not for ever', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		const throttled = { call: 'ebs:GetSnapshotBlock', fault: 'throttled' } as const;
		site.region.faults.push({ ...throttled, times: 17 });
		const into = Buffer.alloc(blockBytes);
		const begunMs = site.region.ms;
		await site.disk(id).read(blockBytes, into, signal);
		assert.ok(into.equals(content.subarray(blockBytes, 2 * blockBytes)));
		assert.ok(site.region.ms - begunMs > 100_000);
		site.region.faults.push({ ...throttled, times: 18 });
		await assert.rejects(site.disk(id).read(blockBytes, into, signal), { code: 'source_unreachable' });
		assert.deepEqual(site.region.faults, []);
	});

	test('does not ask again for what is refused', async () => {
		const site = new Site();
		const { id } = site.snapshot();
		site.region.faults.push({ call: 'ebs:GetSnapshotBlock', fault: 'key-denied', times: 1 });
		await assert.rejects(site.disk(id).read(blockBytes, Buffer.alloc(512), signal), { code: 'access_denied' });
		assert.equal(site.region.callsOf('ebs:GetSnapshotBlock').length, 1);
	});

	for (const [what, spoil] of [
		['bytes that are not those of their digest', ({ bytes, sha256 }) => ({ bytes: flipped(bytes), sha256 })],
		['bytes without a digest', ({ bytes }) => ({ bytes, sha256: null })],
		['fewer bytes than a block has', ({ bytes, sha256 }) => ({ bytes: bytes.subarray(1), sha256 })],
	] satisfies [string, (block: EbsBlock) => EbsBlock][])
		test(`does not take ${what}`, async () => {
			const site = new Site();
			const { id, content } = site.snapshot();
			let spoilt = 0;
			const cloud = changed(site.cloud, {
				block: async (query, until) => {
					const block = await site.cloud.block(query, until);
					return spoilt++ === 0 ? spoil(block) : block;
				},
			});
			const into = Buffer.alloc(blockBytes);
			await site.disk(id, null, cloud).read(blockBytes, into, signal);
			assert.ok(into.equals(content.subarray(blockBytes, 2 * blockBytes)));
			assert.equal(spoilt, 2);
		});

	test('fetches a block once that several reads have a part of', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		const disk = site.disk(id);
		const part = blockBytes / 4;
		await Promise.all(
			Array.from({ length: 8 }, async (_, number) => {
				const into = Buffer.alloc(part);
				const offsetBytes = 2 * blockBytes + number * part;
				await disk.read(offsetBytes, into, signal);
				assert.ok(into.equals(content.subarray(offsetBytes, offsetBytes + part)));
			}),
		);
		assert.deepEqual(site.region.callsOf('ebs:GetSnapshotBlock').length, 2);
	});

	test('reads no more blocks at once than it may', async () => {
		const site = new Site();
		const { id, content } = site.snapshot();
		const { cloud, most } = counted(site.cloud);
		assert.ok((await whole(site.disk(id, null, cloud, 2))).equals(content));
		assert.equal(most(), 2);
	});

	for (const [what, spoil] of [
		['goes back', (page: BlockPage) => ({ ...page, blocks: page.blocks.toReversed() })],
		['goes past the end', (page: BlockPage) => ({ ...page, blocks: [{ index: 8, token: 'x' }] })],
		['is of another volume', (page: BlockPage) => ({ ...page, volumeBytes: 2 * page.volumeBytes })],
		['has blocks of another size', (page: BlockPage) => ({ ...page, blockBytes: 4096 })],
	] as const)
		test(`refuses a list that ${what}`, async () => {
			const site = new Site();
			const { id } = site.snapshot();
			const cloud = changed(site.cloud, {
				listBlocks: async (query, until) => spoil(await site.cloud.listBlocks(query, until)),
			});
			await assert.rejects(collect(site.disk(id, null, cloud).extents(signal)), { code: 'source_invalid' });
		});

	for (const fault of ['refused', 'unrelated'] as const)
		test(`whose changes are not told (${fault}) is read whole, by whoever opens it once more`, async () => {
			const site = new Site();
			const before = site.snapshot();
			const { id } = site.snapshot();
			site.region.faults.push({ call: 'ebs:ListChangedBlocks', fault, times: 1 });
			await assert.rejects(collect(site.disk(id, before.id).extents(signal)), {
				code: 'checkpoint_lost',
				message: /is not compared \(ofTheTest\)/,
			});
			site.region.faults.push({ call: 'ebs:ListSnapshotBlocks', fault: 'refused', times: 1 });
			await assert.rejects(collect(site.disk(id).extents(signal)), { code: 'source_invalid' });
		});

	test('whose list of changes cannot be right is source_invalid: what it called unchanged may be wrong as well', async () => {
		const site = new Site();
		const before = site.snapshot();
		const { id } = site.snapshot();
		site.region.faults.push({ call: 'ebs:ListChangedBlocks', fault: 'impossible', times: 1 });
		await assert.rejects(collect(site.disk(id, before.id).extents(signal)), { code: 'source_invalid' });
	});

	test('says which of two snapshots is gone', async () => {
		const site = new Site();
		const before = site.snapshot();
		site.write(5, 5);
		const { id } = site.snapshot();
		site.region.snapshots.delete(before.id);
		await assert.rejects(collect(site.disk(id, before.id).extents(signal)), { code: 'checkpoint_lost' });
		site.region.snapshots.delete(id);
		await assert.rejects(collect(site.disk(id, before.id).extents(signal)), { code: 'moment_lost' });
	});
});

function flipped(bytes: Buffer): Buffer {
	const other = Buffer.from(bytes);
	other[100] = (other[100] ?? 0) ^ 1;
	return other;
}

/** The cloud with some of its calls in other hands. */
function changed(cloud: MemoryCloud, calls: Partial<Pick<Ec2Cloud, 'block' | 'listBlocks'>>): Ec2Cloud {
	return {
		region: cloud.region,
		instance: (id, until) => cloud.instance(id, until),
		instanceType: (name, until) => cloud.instanceType(name, until),
		volumes: (ids, until) => cloud.volumes(ids, until),
		createSnapshots: (order, until) => cloud.createSnapshots(order, until),
		snapshots: (query, until) => cloud.snapshots(query, until),
		deleteSnapshot: (id, until) => cloud.deleteSnapshot(id, until),
		listBlocks: (query, until) => cloud.listBlocks(query, until),
		block: (query, until) => cloud.block(query, until),
		close: () => cloud.close(),
		...calls,
	};
}

function counted(cloud: MemoryCloud): { cloud: Ec2Cloud; most: () => number } {
	let [now, most] = [0, 0];
	return {
		most: () => most,
		cloud: changed(cloud, {
			block: async (query, until) => {
				most = Math.max(most, (now += 1));
				try {
					await setImmediate();
					return await cloud.block(query, until);
				} finally {
					now -= 1;
				}
			},
		}),
	};
}
