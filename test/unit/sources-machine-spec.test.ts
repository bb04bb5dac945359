import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Firmware, machineConfigSchema, machineSpecSchema, type StatedSpec } from '../../model/machine.ts';
import type { DiskFacts } from '../../sources/disk-facts.ts';
import { decideConfig, defaultSpec, type LookedAtDisk, readMachineSpec, specOf } from '../../sources/machine-spec.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const spec = (given: object) => machineSpecSchema.parse(given);

/** A disk that this firmware boots. */
function disk(firmware: Firmware, facts: Partial<DiskFacts> = {}): LookedAtDisk {
	const partitions = [{ type: firmware === 'efi' ? '0xef' : '0x83', number: 1, startBytes: 512, endBytes: 1024 }];
	return {
		facts: { origin: { kind: 'image', detail: 'qcow2 web01.qcow2' }, serial: null, ...facts },
		table: { scheme: 'mbr', sectorBytes: null, hasBootCode: true, partitions, endBytes: null },
	};
}

async function specFile(t: TestContext, text: string): Promise<string> {
	const path = join(await temporaryDirectory(t), 'spec.yaml');
	await writeFile(path, text);
	return path;
}

test('without a spec a machine has 2 CPUs, 4 GiB, one NIC, and the firmware its disks ask for', () => {
	const config = decideConfig(defaultSpec, 'web01', [disk('efi')]);
	assert.partialDeepStrictEqual(config, { cpus: 2, memoryMiB: 4096, firmware: 'efi', os: 'linux', drivers: [] });
	assert.equal(config.nics.length, 1);
});

test('what nobody said of a machine is not known, and is not made up', () => {
	const { secureBoot, vtpm, efiVariables } = decideConfig(defaultSpec, 'web01', [disk('efi')]);
	assert.deepEqual({ secureBoot, vtpm, efiVariables }, { secureBoot: null, vtpm: null, efiVariables: null });
	const said = decideConfig(spec({ secureBoot: false, vtpm: true }), 'web01', [disk('efi')]);
	assert.deepEqual([said.secureBoot, said.vtpm], [false, true]);
});

test('a derived MAC is the same at every import, locally administered, and another for every machine and NIC', () => {
	const macs = (machine: string) =>
		decideConfig(spec({ nics: [{}, {}] }), machine, [disk('bios')]).nics.map(({ mac }) => mac);
	assert.deepEqual(macs('web01'), macs('web01'));
	const all = [...macs('web01'), ...macs('web02')];
	assert.equal(new Set(all).size, 4);
	for (const mac of all) assert.match(mac, /^52:54:00(:[0-9a-f]{2}){3}$/);
});

test('the firmware of the spec wins over that of the disks', () => {
	assert.equal(decideConfig(spec({ firmware: 'bios' }), 'web01', [disk('efi')]).firmware, 'bios');
});

test('the firmware is that of the first disk with a partition table, and BIOS where none has one', () => {
	const blank: LookedAtDisk = { ...disk('bios'), table: undefined };
	assert.equal(decideConfig(defaultSpec, 'web01', [blank, disk('efi'), disk('bios')]).firmware, 'efi');
	assert.equal(decideConfig(defaultSpec, 'web01', [blank]).firmware, 'bios');
});

test('the clock of Windows counts local time and every other UTC, unless the spec says', () => {
	const clock = (given: object) => decideConfig(spec(given), 'web01', [disk('bios')]).clock;
	assert.deepEqual(
		[clock({ os: 'windows' }), clock({ os: 'linux' }), clock({ os: 'other' })],
		['localtime', 'utc', 'utc'],
	);
	assert.equal(clock({ os: 'windows', clock: 'utc' }), 'utc');
});

test('what a person states comes before what the source tells, fact by fact, and that before what holds where nothing is known', () => {
	const told: StatedSpec = { cpus: 8, memoryMiB: 1024, firmware: 'efi', nics: [] };
	const { cpus, memoryMiB, firmware, nics, os } = specOf({ cpus: 1 }, told);
	assert.deepEqual([cpus, memoryMiB, firmware, nics, os], [1, 1024, 'efi', [], 'linux']);
	assert.deepEqual(specOf({}), defaultSpec);
	const secure: StatedSpec = { firmware: 'efi', secureBoot: true };
	assert.equal(specOf({ firmware: 'efi' }, secure).secureBoot, true);
	assert.equal(specOf({ firmware: 'bios' }, secure).secureBoot, undefined, 'it was told of EFI');
});

test('a driver is known from whom is believed first: the spec, the source, the disks', () => {
	const looked = { boot: null, drivers: ['hyperv', 'virtio', 'xen'], driversOfSource: ['virtio', 'nvme'] };
	const { drivers } = decideConfig(spec({ drivers: 'nvme' }), 'web01', [disk('bios')], looked);
	assert.deepEqual(drivers, [
		{ name: 'nvme', learntFrom: 'spec' },
		{ name: 'virtio', learntFrom: 'source' },
		{ name: 'hyperv', learntFrom: 'disks' },
		{ name: 'xen', learntFrom: 'disks' },
	]);
});

test('drivers that the spec names are known from it, each once', () => {
	const drivers = (given: unknown) => decideConfig(spec({ drivers: given }), 'web01', [disk('bios')]).drivers;
	assert.deepEqual(drivers('virtio'), [{ name: 'virtio', learntFrom: 'spec' }]);
	assert.deepEqual(
		drivers(['hyperv', 'virtio', 'hyperv']).map(({ name }) => name),
		['hyperv', 'virtio'],
	);
});

test('a disk keeps its place, its serial number and its sectors, and has 512 bytes where nobody knows', () => {
	const known = { logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
	const { disks } = decideConfig(defaultSpec, 'web01', [disk('bios', { serial: 'S1', sectors: known }), disk('bios')]);
	assert.deepEqual(disks, [
		{ position: 0, serial: 'S1', ...known },
		{ position: 1, serial: null, logicalSectorBytes: 512, physicalSectorBytes: 512 },
	]);
});

test('a GPT shows the sectors of the disk it was made on, whatever its copy lies on', () => {
	const on = (sectorBytes: 512 | 4096, sectors?: DiskFacts['sectors']) => {
		const table = { scheme: 'gpt', sectorBytes, hasBootCode: false, partitions: [], endBytes: null } as const;
		const { disks } = decideConfig(defaultSpec, 'web01', [
			{ ...disk('efi', { sectors }), table: { ...table, partitions: [] } },
		]);
		return [disks[0]?.logicalSectorBytes, disks[0]?.physicalSectorBytes];
	};
	assert.deepEqual(on(4096), [4096, 4096]);
	assert.deepEqual(on(512, { logicalSectorBytes: 4096, physicalSectorBytes: 4096 }), [512, 4096]);
});

test('the origin names all disks on one line of 200 characters at most', () => {
	const originOf = (...details: string[]) =>
		decideConfig(
			defaultSpec,
			'web01',
			details.map(detail => disk('bios', { origin: { kind: 'image', detail } })),
		).origin;
	assert.deepEqual(originOf('qcow2 a', 'raw b\u001b[2J'), { kind: 'image', detail: 'qcow2 a, raw b?[2J' });
	const { detail } = originOf(`raw ${'x'.repeat(300)}`);
	assert.equal(detail.length, 200);
	assert.match(detail, /x…$/);
});

test('a MAC that no NIC can have, or that is there twice, is refused with its place', () => {
	const decide = (...macs: string[]) =>
		decideConfig(spec({ nics: macs.map(mac => ({ mac })) }), 'web01', [disk('bios')]);
	assert.throws(() => decide('01:00:5e:00:00:01'), { code: 'spec_invalid', message: /nics\.0\.mac: .*multicast/ });
	assert.throws(() => decide('52:54:00:00:00:01', '52:54:00:00:00:01'), {
		code: 'spec_invalid',
		message: /nics\.1\.mac: .*twice/,
	});
});

test('an unknown field of a spec is named with its line and column', async t => {
	const path = await specFile(t, 'cpus: 4\nnics:\n  - network: lan\n    speed: 10\n');
	await assert.rejects(readMachineSpec(path), { code: 'spec_invalid', message: /spec\.yaml:4:5: nics\.0\.speed/ });
	const bus = await specFile(t, 'cpus: 4\ndiskBus: sata\n');
	await assert.rejects(readMachineSpec(bus), { code: 'spec_invalid', message: /spec\.yaml:2:1: diskBus/ });
});

test('a spec that is not there, or a directory, is told as that', async t => {
	const path = await specFile(t, 'cpus: 4\n');
	await assert.rejects(readMachineSpec(`${path}/x`), { code: 'spec_invalid', message: `there is no ${path}/x` });
	await assert.rejects(readMachineSpec(dirname(path)), { message: `${dirname(path)} is a directory` });
});

test('a whole spec is read', async t => {
	const path = await specFile(
		t,
		[
			'cpus: 4',
			'memoryMiB: 512',
			'firmware: efi',
			'secureBoot: true',
			'vtpm: true',
			'nics:',
			'  - mac: 52:54:00:AB:cd:ef',
			'    network: lan',
			'os: windows',
			'clock: utc',
			'drivers: [virtio]',
		].join('\n'),
	);
	const config = decideConfig(await readMachineSpec(path), 'web01', [disk('bios')]);
	assert.deepEqual(machineConfigSchema.parse(config), {
		cpus: 4,
		memoryMiB: 512,
		firmware: 'efi',
		secureBoot: true,
		vtpm: true,
		efiVariables: null,
		nics: [{ mac: '52:54:00:ab:cd:ef', network: 'lan' }],
		disks: [{ position: 0, serial: null, logicalSectorBytes: 512, physicalSectorBytes: 512 }],
		clock: 'utc',
		os: 'windows',
		drivers: [{ name: 'virtio', learntFrom: 'spec' }],
		boot: null,
		origin: { kind: 'image', detail: 'qcow2 web01.qcow2' },
	});
});

test('a spec that is not there is named', async t => {
	await assert.rejects(readMachineSpec(join(await temporaryDirectory(t), 'none.yaml')), {
		code: 'spec_invalid',
		message: /none\.yaml/,
	});
});
