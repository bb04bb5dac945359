/** A machine whose disks are buffers, as a source finds it by FarPlatform. */
import { createHash } from 'node:crypto';
import { RouseError } from '../../../model/errors.ts';
import type { Block } from '../../../sources/ssh/facts/blocks.ts';
import type { FarFacts } from '../../../sources/ssh/facts/facts.ts';
import type { ReportedVolume } from '../../../sources/ssh/facts/lvm-reports.ts';
import type { FarPlatform, SnapshotKept, SnapshotOrder, VolumeName } from '../../../sources/ssh/platform.ts';
import type { DigestRange, Ranges } from '../../../sources/ssh/ranges.ts';
import { noise } from '../repositories.ts';
import { extentBytes, PretendedGroup } from './group.ts';

const kib = 1024;
const bootAt = 64 * kib;
const bootBytes = 64 * kib;
const memberAt = bootAt + bootBytes;
const headBytes = 64 * kib;

/** `vda` is a physical volume as a whole; `vdb` has a table, a boot partition, and another one. The volume `root` lies on both. */
export class PretendedMachine {
	readonly vda = Buffer.alloc(headBytes + 12 * extentBytes);
	readonly vdb = Buffer.alloc(memberAt + headBytes + 10 * extentBytes);
	readonly group: PretendedGroup;
	readonly more: Buffer[] = [];
	machineId = 'a'.repeat(32);
	/** Somebody else holds the lock of LVM. */
	isBusy = false;
	/** Nothing can be read. */
	isBroken = false;
	/** What a session that was cut is still at. */
	underWay: () => void = () => {};
	/** What its system has not yet written to its disks. */
	atSync: () => void = () => {};
	/** What its guest does when a snapshot was made of this volume. */
	afterSnapshot: (origin: string) => void = () => {};

	constructor() {
		noise(512, 11).copy(this.vdb);
		noise(bootBytes, 12).copy(this.vdb, bootAt);
		this.group = new PretendedGroup(
			[
				{ id: 'A'.repeat(32), disk: this.vda, startBytes: 0, extents: 12 },
				{ id: 'B'.repeat(32), disk: this.vdb, startBytes: memberAt, extents: 10 },
			],
			[
				{
					name: 'root',
					pieces: [
						[0, 0, 6],
						[1, 4, 2],
					],
				},
				{
					name: 'data',
					pieces: [
						[1, 0, 3],
						[0, 8, 4],
					],
				},
			],
		);
		this.group.write(this.vda, headBytes, noise(4 * extentBytes, 13));
		this.group.write(this.vdb, memberAt + headBytes, noise(2 * extentBytes, 14));
	}

	disk(key: string): Buffer {
		const disk = { 'serial-one': this.vda, 'serial-two': this.vdb }[key];
		if (disk === undefined) throw new Error(`there is no disk ${key}`);
		return disk;
	}

	content(key: string): Buffer {
		const disk = this.disk(key);
		const [one, two] = this.group.members;
		if (disk === this.vda && one) return this.group.contentOf(one);
		const member = two ? this.group.contentOf(two) : Buffer.alloc(0);
		return Buffer.concat([this.vdb.subarray(0, memberAt), member]);
	}

	/** Undefined when there is no such device. */
	device(path: string): Buffer | undefined {
		const snapshot = this.group.snapshots.find(({ name }) => path === `/dev/mapper/vg--main-${name}`);
		if (snapshot !== undefined) return snapshot.isFull ? undefined : snapshot.content;
		const devices: Record<string, Buffer | undefined> = {
			'/dev/mapper/vg--main-root': this.group.readVolume('root'),
			'/dev/mapper/vg--main-data': this.group.readVolume('data'),
			'/dev/vda': this.vda,
			'/dev/vdb': this.vdb,
			'/dev/vdb1': this.vdb.subarray(bootAt, memberAt),
			'/dev/vdb2': this.vdb.subarray(memberAt),
		};
		return devices[path] ?? this.more[Number(/^\/dev\/vdz(\d)$/.exec(path)?.[1])];
	}

	blocks(): Block[] {
		const root = block('/dev/mapper/vg--main-root', 'lvm', 8 * extentBytes, { mountPoints: ['/'], fileSystem: 'ext4' });
		const data = block('/dev/mapper/vg--main-data', 'lvm', 7 * extentBytes);
		const member = { fileSystem: 'LVM2_member', children: [root, data] };
		return [
			block('/dev/vda', 'disk', this.vda.length, { serial: 'one', ...member }),
			block('/dev/vdb', 'disk', this.vdb.length, {
				serial: 'two',
				children: [
					block('/dev/vdb1', 'part', bootBytes, { fileSystem: 'vfat' }),
					block('/dev/vdb2', 'part', this.vdb.length - memberAt, member),
				],
			}),
			...this.more.map((disk, number) => block(`/dev/vdz${number}`, 'disk', disk.length, { serial: `more-${number}` })),
		];
	}

	volumes(): ReportedVolume[] {
		const { name: group, volumes, snapshots } = this.group;
		const common = { vg_name: group, lv_path: '', lv_kernel_major: '253', lv_kernel_minor: '9' };
		const of = (name: string) => ({ ...common, lv_name: name, lv_dm_path: `/dev/mapper/vg--main-${name}` });
		return [
			...volumes.map(({ name, pieces }) => ({
				...of(name),
				lv_uuid: name,
				lv_size: pieces.reduce((sum, [, , count]) => sum + count, 0) * extentBytes,
				lv_attr: '-wi-ao----',
				lv_tags: [],
				origin: '',
				snap_percent: null,
			})),
			...snapshots.map(({ name, uuid, tags, origin, isFull }) => ({
				...of(name),
				lv_uuid: uuid,
				lv_size: extentBytes,
				lv_attr: isFull ? 'sri-I-s---' : 'sri-a-s---',
				lv_tags: tags,
				origin,
				snap_percent: isFull ? 100 : 0,
			})),
		];
	}

	facts(): FarFacts {
		const { name, seqno } = this.group;
		const free = { vg_free: 2 ** 30, vg_extent_size: extentBytes, vg_uuid: 'grp-main' };
		return {
			hostname: 'pretended',
			kernel: '6.1.0',
			pageBytes: 4096,
			machineId: this.machineId,
			productUuid: null,
			vendor: null,
			product: null,
			cpus: 2,
			memoryMiB: 2048,
			firmware: 'bios',
			secureBoot: null,
			clock: 'utc',
			hasPython: true,
			nics: ['52:54:00:00:00:01'],
			blocks: this.blocks(),
			places: new Map([
				['vdb1', { startBytes: bootAt, lengthBytes: bootBytes }],
				['vdb2', { startBytes: memberAt, lengthBytes: this.vdb.length - memberAt }],
			]),
			writtenBytes: new Map(),
			groups: [{ vg_name: name, vg_seqno: seqno, ...free }],
			volumes: this.volumes(),
			physical: ['/dev/vda', '/dev/vdb2'].map(path => ({ pv_name: path, pv_uuid: path, vg_name: name })),
		};
	}
}

function block(name: string, type: string, sizeBytes: number, more: Partial<Block> = {}): Block {
	const nothing = { serial: null, wwn: null, model: null, tableId: null, fileSystem: null };
	const flags = { isRemovable: false, isReadOnly: false, logicalSectorBytes: 512, physicalSectorBytes: 512 };
	return { name, type, sizeBytes, mountPoints: [], children: [], ...nothing, ...flags, ...more };
}

/** As one process has it; when that is dead it does nothing any more. */
export class PretendedPlatform implements FarPlatform {
	readonly name = 'root@pretended';
	readonly #machine: PretendedMachine;
	readonly #isDead: () => boolean;

	constructor(machine: PretendedMachine, isDead: () => boolean = () => false) {
		this.#machine = machine;
		this.#isDead = isDead;
	}

	async facts(): Promise<FarFacts> {
		this.#mustLive();
		return this.#machine.facts();
	}

	async volumes(): Promise<ReportedVolume[]> {
		this.#mustLive();
		return this.#machine.volumes();
	}

	async volumesAtRest(): Promise<ReportedVolume[]> {
		this.#mustLive();
		this.#machine.underWay();
		return this.#machine.volumes();
	}

	async sync(): Promise<void> {
		this.#mustLive();
		this.#machine.atSync();
	}

	async snapshot({ groups, snapshots, tags }: SnapshotOrder): Promise<SnapshotKept[]> {
		this.#mustLive();
		const { group, isBusy } = this.#machine;
		if (isBusy) throw new RouseError('source_busy', 'somebody is at work on its volumes');
		if (groups.some(({ seqno }) => seqno !== group.seqno))
			throw new RouseError('source_changed', 'volumes were changed');
		for (const { name, origin } of snapshots) {
			group.snapshot(name, origin, tags);
			this.#machine.afterSnapshot(origin);
		}
		return this.kept(snapshots);
	}

	async kept(snapshots: readonly VolumeName[]): Promise<SnapshotKept[]> {
		this.#mustLive();
		const { snapshots: all } = this.#machine.group;
		return snapshots.map(({ name }) => ({
			name,
			chunkBytes: 4096,
			chunks: all.find(one => one.name === name)?.keptChunks ?? 0,
		}));
	}

	async addTags({ name }: VolumeName, tags: readonly string[]): Promise<void> {
		this.#mustLive();
		const { group } = this.#machine;
		group.snapshots.find(one => one.name === name)?.tags.push(...tags);
		group.note();
	}

	async remove(volumes: readonly VolumeName[]): Promise<void> {
		this.#mustLive();
		for (const { name } of volumes) this.#machine.group.remove(name);
	}

	async ranges(): Promise<Ranges> {
		this.#mustLive();
		return new PretendedRanges(this.#machine);
	}

	#mustLive(): void {
		if (this.#isDead()) throw new RouseError('interrupted', 'this process is dead');
	}
}

class PretendedRanges implements Ranges {
	readonly digestsAreQuick = true;
	readonly #machine: PretendedMachine;

	constructor(machine: PretendedMachine) {
		this.#machine = machine;
	}

	async sizeOf(path: string): Promise<number> {
		return this.#device(path).length;
	}

	async read(path: string, atBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const copied = this.#device(path).copy(into, 0, atBytes);
		if (copied !== into.length) throw new RouseError('source_invalid', `${path} ends before ${atBytes + into.length}`);
	}

	async digests(path: string, range: DigestRange, signal: AbortSignal): Promise<Buffer[]> {
		const bytes = Buffer.alloc(range.lengthBytes);
		await this.read(path, range.atBytes, bytes, signal);
		const digests: Buffer[] = [];
		for (let at = 0, end = range.firstBytes; at < bytes.length; at = end, end += range.unitBytes)
			digests.push(createHash('sha256').update(bytes.subarray(at, end)).digest());
		return digests;
	}

	async close(): Promise<void> {}

	#device(path: string): Buffer {
		const device = this.#machine.isBroken ? undefined : this.#machine.device(path);
		if (device === undefined) throw new RouseError('source_invalid', `${path} cannot be read`);
		return device;
	}
}
