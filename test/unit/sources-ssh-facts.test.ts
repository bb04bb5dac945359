import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { sourceMachineSchema } from '../../sources/machine/documents.ts';
import { parseFarFacts } from '../../sources/ssh/facts/facts.ts';
import { layoutOf } from '../../sources/ssh/layout.ts';
import { describeMachine, disksOf, identityOf } from '../../sources/ssh/machine.ts';
import { roomFor } from '../../sources/ssh/room.ts';

interface Device {
	name: string;
	type: string;
	size: number;
	children?: Device[];
	[more: string]: unknown;
}

/** As lsblk of util-linux 2.27 writes it, all text, or as later ones do. */
function lsblk(devices: Device[], isOld: boolean): string {
	const written = ({ children, size, ...device }: Device): unknown => ({
		rm: isOld ? '0' : false,
		ro: isOld ? '0' : false,
		serial: null,
		wwn: null,
		model: null,
		ptuuid: null,
		fstype: null,
		mountpoint: null,
		'log-sec': isOld ? '512' : 512,
		'phy-sec': isOld ? '4096' : 4096,
		size: isOld ? String(size) : size,
		...device,
		...(children === undefined ? {} : { children: children.map(written) }),
	});
	return JSON.stringify({ blockdevices: devices.map(written) });
}

const gib = 2 ** 30;
const root = { name: '/dev/mapper/vg-root', type: 'lvm', size: 8 * gib, fstype: 'ext4', mountpoint: '/' };
const swap = { name: '/dev/mapper/vg-swap', type: 'lvm', size: gib, fstype: 'swap', mountpoint: '[SWAP]' };
const parts: Device[] = [
	{ name: '/dev/sda1', type: 'part', size: gib, fstype: 'ext4', mountpoint: '/boot' },
	{ name: '/dev/sda2', type: 'part', size: 18 * gib, fstype: 'LVM2_member', children: [root, swap] },
];
const sda: Device = { name: '/dev/sda', type: 'disk', size: 20 * gib, serial: 'S1', wwn: '0x5000', children: parts };
const sdb: Device = { name: '/dev/sdb', type: 'disk', size: gib, serial: 'S2', ptuuid: 'cafe' };

const volume = (name: string, size: number) => ({
	vg_name: 'vg',
	lv_name: name,
	lv_uuid: `u-${name}`,
	lv_path: `/dev/vg/${name}`,
	lv_dm_path: `/dev/mapper/vg-${name}`,
	lv_size: String(size),
	lv_attr: '-wi-ao----',
	lv_tags: '',
	origin: '',
	snap_percent: '',
	lv_kernel_major: '253',
	lv_kernel_minor: name === 'root' ? '0' : '1',
});
const lvm = {
	groups: { vg: [{ vg_name: 'vg', vg_uuid: 'g', vg_free: String(4 * gib), vg_extent_size: '4194304', vg_seqno: '5' }] },
	volumes: { lv: [volume('root', 8 * gib), volume('swap', gib)] },
	physical: { pv: [{ pv_name: '/dev/sda2', pv_uuid: 'p', vg_name: 'vg' }] },
};

function said(more: Record<string, string> = {}, devices = [sdb, sda], isOld = false): string {
	const all = {
		hostname: 'db1',
		system: 'Linux',
		kernel: '6.1.0-18-amd64',
		page: '4096',
		'machine-id': 'c'.repeat(32),
		'product-uuid': '4c4c4544-0042-3510-8052-b7c04f4d4e32',
		cpus: '8',
		meminfo: 'MemTotal:       16301984 kB\nMemFree: 1 kB',
		'memory-block': '8000000',
		'memory-blocks': '128',
		firmware: 'efi',
		'secure-boot': '   1',
		adjtime: '0.0 0 0.0\n0\nLOCAL',
		python: '/usr/bin/python3',
		nics: '52:54:00:AA:BB:CC\nnonsense',
		blocks: lsblk(devices, isOld),
		starts: 'sda1 2048 2097152\nsda2 2099200 37748736',
		written: 'dm-0 2000000',
		...Object.fromEntries(Object.entries(lvm).map(([name, report]) => [name, JSON.stringify({ report: [report] })])),
		...more,
	};
	return Object.entries(all)
		.map(([name, text]) => `\u001e${name}\n${text}\n`)
		.join('');
}

suite('what a machine tells of itself over SSH', () => {
	for (const isOld of [false, true])
		test(`is a machine with its disks in order, ${isOld ? 'also from an old lsblk' : 'the one it starts from first'}`, () => {
			const facts = parseFarFacts(said({}, [sdb, sda], isOld));
			const machine = sourceMachineSchema.parse(describeMachine(facts, { uri: 'ssh://root@db1/', host: 'db1' }));
			assert.deepEqual(
				machine.disks.map(({ key, slot }) => [key, slot]),
				[
					['wwn-0x5000', '/dev/sda'],
					['serial-S2', '/dev/sdb'],
				],
			);
			assert.deepEqual(machine.config, {
				os: 'linux',
				cpus: 8,
				memoryMiB: 16_384,
				firmware: 'efi',
				secureBoot: true,
				clock: 'localtime',
				nics: [{ mac: '52:54:00:aa:bb:cc', network: 'default' }],
			});
			assert.ok(!JSON.stringify(machine).includes('c'.repeat(32)), 'the id of a machine is not told');
		});

	test('its volumes are read from snapshots, swap space but for its header, and boot partitions as they lie there', () => {
		const facts = parseFarFacts(said());
		const { disks, volumes } = layoutOf(facts, disksOf(facts));
		assert.deepEqual(
			disks.map(({ partitions }) => partitions.map(({ use }) => use)),
			[['live', 'physical'], ['live']],
		);
		assert.deepEqual(
			volumes.map(({ name, isSwap, consistency, writtenBytes }) => [name, isSwap, consistency, writtenBytes]),
			[
				['root', false, 'file-system', 2_000_000 * 512],
				['swap', true, 'file-system', 0],
			],
		);
		const [room, ...others] = roomFor(volumes, facts);
		assert.equal(others.length, 0);
		assert.equal(room?.bytes, Math.floor((8 * gib * 0.2) / 4_194_304) * 4_194_304);
	});

	test('a file system that lies on something else on its volume is not told to be still', () => {
		const inner = { name: '/dev/mapper/inner', type: 'crypt', size: 8 * gib, fstype: 'ext4', mountpoint: '/' };
		const outer = { ...root, fstype: 'crypto_LUKS', mountpoint: null, children: [inner] };
		const children = parts.map(part => (part.children === undefined ? part : { ...part, children: [outer, swap] }));
		const facts = parseFarFacts(said({}, [{ ...sda, children }]));
		const { volumes } = layoutOf(facts, disksOf(facts));
		assert.equal(volumes.find(({ name }) => name === 'root')?.consistency, 'crash');
	});

	test('what is written to and lies on no volume is refused, and so is a group without room', () => {
		const plain = {
			...sda,
			children: [{ name: '/dev/sda1', type: 'part', size: gib, fstype: 'ext4', mountpoint: '/' }],
		};
		const encrypted = {
			...sda,
			children: [{ name: '/dev/sda1', type: 'part', size: gib, children: [{ ...root, type: 'crypt' }] }],
		};
		for (const disk of [plain, encrypted]) {
			const facts = parseFarFacts(said({}, [disk]));
			assert.throws(() => layoutOf(facts, disksOf(facts)), { code: 'source_invalid' });
		}
		const full = JSON.stringify({ report: [{ vg: [{ ...lvm.groups.vg[0], vg_free: '4194304' }] }] });
		const facts = parseFarFacts(said({ groups: full }));
		const { volumes } = layoutOf(facts, disksOf(facts));
		assert.throws(() => roomFor(volumes, facts), { code: 'space_short' });
		assert.throws(() => roomFor(Array.from({ length: 65 }, () => volumes).flat(), facts), { code: 'source_invalid' });
	});

	test('volumes of which there is no snapshot are refused when it is planned; what comes while it is read does no harm', () => {
		for (const lv_attr of ['swi-a-s---', 'Vwi-aotz--', 'rwi-aor---', '-wi-------']) {
			const other = { ...volume('other', gib), lv_attr };
			const volumes = JSON.stringify({ report: [{ lv: [...lvm.volumes.lv, other] }] });
			const facts = parseFarFacts(said({ volumes }));
			assert.throws(() => layoutOf(facts, disksOf(facts)), { code: 'source_invalid', message: /vg\/other/ });
			assert.equal(layoutOf(facts, disksOf(facts), { alreadyBegun: true }).disks.length, 2);
		}
	});

	test('Btrfs on a volume is refused: the kernel would take its snapshot for one more of its disks', () => {
		const children = parts.map(part =>
			part.children === undefined ? part : { ...part, children: [{ ...root, fstype: 'btrfs' }, swap] },
		);
		const facts = parseFarFacts(said({}, [{ ...sda, children }]));
		assert.throws(() => layoutOf(facts, disksOf(facts)), { code: 'source_invalid', message: /vg\/root is Btrfs/ });
	});

	test('boards that say nothing of their own, and copies of one system, are told apart as far as anything does', () => {
		const machineId = 'd'.repeat(32);
		const board = identityOf({ machineId, productUuid: '4c4c4544-0042-3510-8052-b7c04f4d4e32' });
		assert.notEqual(identityOf({ machineId, productUuid: '4c4c4544-0042-3510-8052-b7c04f4d4e33' }), board);
		const unset = identityOf({ machineId, productUuid: '03000200-0400-0500-0006-000700080009' });
		assert.equal(identityOf({ machineId, productUuid: null }), unset);
		const swapped = '00020003-0004-0005-0006-000700080009';
		assert.equal(identityOf({ machineId, productUuid: swapped }), unset);
		assert.throws(() => identityOf({ machineId: 'uninitialized', productUuid: swapped }), { code: 'source_invalid' });
		assert.throws(() => identityOf({ machineId: null, productUuid: null }), { code: 'source_invalid' });
	});

	test('an LVM that says nothing is one that has failed, and none that has no volumes', () => {
		for (const name of ['groups', 'volumes', 'physical'])
			assert.throws(() => parseFarFacts(said({ [name]: '' })), { code: 'tool_failed' });
	});

	test('no Linux, and an lsblk that is not understood, are refused', () => {
		assert.throws(() => parseFarFacts(said({ system: 'Darwin' })), { code: 'source_invalid', message: /Darwin/ });
		for (const blocks of [
			'',
			'{}',
			'{"blockdevices":[{}]}',
			lsblk([{ name: '/dev/sda;rm', type: 'disk', size: 1 }], false),
		])
			assert.throws(() => parseFarFacts(said({ blocks })), { code: 'source_invalid' });
	});
});
