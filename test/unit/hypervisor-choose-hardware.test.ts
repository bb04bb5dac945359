import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PlatformData } from '../../model/hardware.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { chooseDevices, readOptions } from '../../hypervisors/qemu/choose-hardware.ts';
import { hardwareOf } from '../../hypervisors/qemu/hardware.ts';
import type { Forward } from '../../model/recovery.ts';
import { benchConfig } from '../equipment/qemu-bench.ts';

const nic = { mac: '52:54:00:00:00:01', network: 'lan', target: 'user' };

function chosen(config: Partial<MachineConfig>, options: PlatformData = {}, nics = [nic]) {
	return chooseDevices({ config: { ...benchConfig(2), ...config }, nics, options }, readOptions(options));
}

const virtio = [{ name: 'virtio', learntFrom: 'disks' as const }];

suite('`chooseDevices` of QEMU', () => {
	for (const [what, config, bus, model, why] of [
		['Linux', { os: 'linux' }, 'virtio', 'virtio', 'Linux comes with virtio drivers'],
		['Windows', { os: 'windows' }, 'sata', 'e1000e', 'Windows without known virtio drivers'],
		['another system', { os: 'other' }, 'sata', 'e1000e', 'a guest without known virtio drivers'],
		[
			'Windows with virtio drivers',
			{ os: 'windows', drivers: virtio },
			'virtio',
			'virtio',
			'virtio drivers are in the guest (seen on its disks)',
		],
	] as const)
		test(`gives ${what} disks on ${bus} and ${model} cards, and says why`, () => {
			const { data, choices, warnings } = chosen({
				...config,
				drivers: 'drivers' in config ? [...config.drivers] : [],
			});
			assert.equal(data.diskBus, bus);
			assert.equal(data.nicModel, model);
			assert.deepEqual(choices, [
				{ what: 'disks', chosen: bus, why },
				{ what: 'network cards', chosen: model, why },
			]);
			assert.equal(warnings.filter(text => text.startsWith('SATA disks')).length, bus === 'sata' ? 1 : 0);
		});

	test('takes what was asked for, and refuses what it does not know by naming what there is', () => {
		const { data, choices } = chosen({ os: 'windows' }, { disks: 'virtio', nics: 'virtio', accelerator: 'tcg' });
		assert.deepEqual([data.diskBus, data.nicModel, data.accelerator], ['virtio', 'virtio', 'tcg']);
		assert.ok(choices.every(({ why }) => why === 'asked for'));
		for (const wrong of [{ disks: 'scsi' }, { generation: 2 }])
			assert.throws(() => readOptions(wrong), {
				code: 'config_invalid',
				hint: 'there are accelerator (auto, kvm, tcg), disks (virtio, sata), nics (virtio, e1000e)',
			});
		assert.throws(() => chosen({}, {}, [{ ...nic, target: 'br0' }]), {
			code: 'config_invalid',
			hint: 'there are none, user, isolated',
		});
	});

	test('takes networks that the host offers, and says why it offers none', () => {
		const on = (offered: string[], missing?: string, instead = {}) =>
			chooseDevices(
				{ config: benchConfig(1), nics: [{ ...nic, target: 'bridge:br0' }], options: {} },
				{},
				{ offered: offered.map(name => ({ name, description: '' })), missing, instead },
			);
		assert.equal(on(['user', 'bridge:br0']).data.nicModel, 'virtio');
		assert.throws(() => on(['user', 'bridge:br1']), { hint: 'there are none, user, bridge:br1' });
		assert.throws(() => on(['user'], 'not root'), {
			code: 'config_invalid',
			message: /no network "bridge:br0"/,
			hint: 'there are none, user; not root',
		});
		const instead = { 'bridge:br0': 'br0 is no bridge: macvtap:br0' };
		assert.throws(() => on(['user'], undefined, instead), {
			hint: 'br0 is no bridge: macvtap:br0; there are none, user',
		});
	});

	test('says once of macvtaps that the host does not reach the machine, and refuses more than a shell can open', () => {
		const offered = [{ name: 'macvtap:eth0', description: '' }];
		const sharing = (count: number) =>
			chooseDevices(
				{
					config: benchConfig(1),
					nics: Array.from({ length: count }, () => ({ ...nic, target: 'macvtap:eth0' })),
					options: {},
				},
				{},
				{ offered, missing: undefined, instead: {} },
			);
		assert.deepEqual(sharing(6).warnings, [
			'behind eth0 by macvtap: this host itself does not reach the machine, nor the machine this host',
		]);
		assert.throws(() => sharing(7), { code: 'config_invalid', message: /7 NICs .* can have 6/ });
	});

	test('keeps the ports that lead to the guest, and refuses those that lead nowhere or twice', () => {
		const forward = { address: '127.0.0.1', port: 2222, guestPort: 22 };
		const forwarding = (forwards: Forward[], target = 'user') =>
			chooseDevices({ config: benchConfig(1), nics: [{ ...nic, target }], forwards, options: {} }, {}).data.forwards;
		const elsewhere = { ...forward, address: '192.0.2.1' };
		assert.deepEqual(forwarding([forward, elsewhere]), [forward, elsewhere]);
		assert.throws(() => forwarding([forward], 'none'), { code: 'config_invalid', hint: /--network lan=user/ });
		assert.throws(() => forwarding([forward, { ...forward, guestPort: 80 }]), {
			code: 'config_invalid',
			message: /127\.0\.0\.1:2222 is to be forwarded twice/,
		});
	});

	test('keeps the order in which the disks were connected, and their sectors', () => {
		const disk = { serial: null, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
		const disks = [3, 1, 1].map(position => ({ ...disk, position }));
		assert.deepEqual(
			chosen({ disks }).data.disks.map(({ slot, physicalSectorBytes }) => [slot, physicalSectorBytes]),
			[
				[2, 4096],
				[0, 4096],
				[1, 4096],
			],
		);
	});

	test('refuses SATA for a disk with native 4096-byte sectors, which virtio has', () => {
		const [disk] = benchConfig(1).disks;
		assert.ok(disk);
		const disks = [{ ...disk, logicalSectorBytes: 4096 as const, physicalSectorBytes: 512 as const }];
		assert.throws(() => chosen({ os: 'windows', disks }), { code: 'precheck_failed', message: /disk0/ });
		assert.deepEqual(chosen({ disks }).data.disks[0]?.physicalSectorBytes, 4096);
	});

	test('warns of what the machine had and does not get', () => {
		const [disk] = benchConfig(1).disks;
		assert.ok(disk);
		const variable = { vendor: '8be4df61-93ca-11d2-aa0d-00e098032b8c', name: 'BootOrder', attributes: 7, data: '' };
		const { data, warnings } = chosen({
			secureBoot: true,
			vtpm: true,
			efiVariables: [variable],
			disks: [{ ...disk, serial: '0123456789abcdef\u0007ghijklm' }],
		});
		assert.equal(data.disks[0]?.serial, '0123456789abcdefghij');
		assert.match(
			warnings.join('\n'),
			/Secure Boot.*\n.*TPM.*\n.*EFI variables.*\n.*u0007ghijklm" the guest sees "0123456789abcdefghij"/,
		);
		assert.deepEqual(chosen({ secureBoot: false, vtpm: null, efiVariables: [] }).warnings, []);
	});

	test("its answer is read again as it was made; another platform's is refused", () => {
		const { data } = chosen({ os: 'windows', clock: 'localtime' });
		const disk = { name: 'disk0', sizeBytes: 512, exports: { now: 'n', wait: 'w' } };
		const definition = {
			recoveryId: '',
			machineName: 'web01',
			config: benchConfig(2),
			nics: [],
			disks: [disk, disk],
			allocate: 'thin' as const,
			directory: '',
			runDirectory: '',
			nbdSocket: '',
		};
		assert.deepEqual(hardwareOf({ ...definition, hardware: JSON.parse(JSON.stringify(data)) }), data);
		for (const hardware of [{}, { generation: 2 }, { ...data, disks: data.disks.slice(1) }])
			assert.throws(() => hardwareOf({ ...definition, hardware }), { code: 'config_invalid', message: /web01/ });
	});
});
