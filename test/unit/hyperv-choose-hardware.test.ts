import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chooseHardware } from '../../hypervisors/hyperv/choose-hardware.ts';
import type { HardwareRequest } from '../../hypervisors/contract.ts';
import { parseHardware } from '../../hypervisors/hyperv/hardware.ts';
import type { MachineConfig, SourceDisk } from '../../model/machine.ts';
import { benchConfig } from '../equipment/simulated-bench.ts';

const report = {
	freeBytes: 1e12,
	memoryTotalMiB: 65_536,
	memoryFreeMiB: 32_768,
	processors: 16,
	switches: [{ name: 'LAN', type: 'External' as const }],
	initiatorName: 'iqn.1991-05.com.microsoft:hv1',
	hyperV: '10.0',
};

function choose(config: Partial<MachineConfig>, more: Partial<HardwareRequest> = {}) {
	const chosen = chooseHardware({ config: { ...benchConfig, ...config }, nics: [], options: {}, ...more }, report);
	return { ...chosen, data: parseHardware(chosen.data) };
}

function disk(position: number, sectors: 512 | 4096 = 512): SourceDisk {
	return { position, serial: null, logicalSectorBytes: sectors, physicalSectorBytes: sectors };
}

const places = (disks: readonly SourceDisk[], firmware: 'bios' | 'efi') =>
	choose({ disks: [...disks], firmware }).data.disks.map(
		({ slot: { controller, number, location } }) => `${controller} ${number}:${location}`,
	);

suite('`chooseHardware` on Hyper-V', () => {
	test('takes the generation that has the firmware the machine had', () => {
		assert.equal(choose({ firmware: 'bios' }).data.generation, 1);
		assert.equal(choose({ firmware: 'efi' }).data.generation, 2);
		const asked = choose({ firmware: 'efi' }, { options: { generation: 1 } });
		assert.equal(asked.data.generation, 1);
		assert.match(asked.warnings.join('\n'), /started by UEFI, which generation 1 does not have/);
	});

	test('says what is left after the switch: two files a disk, or one where overlays are by checkpoint and targets dynamic', () => {
		const of = (overlay: 'child' | 'checkpoint', targets: 'dynamic' | 'fixed') => {
			const request = { config: benchConfig, nics: [], options: { targets } };
			const { data, choices } = chooseHardware(request, report, { overlay });
			const { chosen = '', why = '' } = choices.find(({ what }) => what === 'switch') ?? {};
			assert.match(chosen, /a pause of about \d+ s/);
			return [parseHardware(data).overlay, /no chain stays/.test(why), /in two files/.test(why)];
		};
		assert.deepEqual(of('child', 'dynamic'), ['child', false, true]);
		assert.deepEqual(of('checkpoint', 'dynamic'), ['checkpoint', true, false]);
		assert.deepEqual(of('checkpoint', 'fixed'), ['child', false, true]);
	});

	test('warns why overlays are children that a self test has found good by checkpoint, where targets are dynamic', () => {
		const of = (targets: 'dynamic' | 'fixed') => {
			const request = { config: benchConfig, nics: [], options: { targets } };
			return chooseHardware(request, report, { overlay: 'child', warning: 'another build' }).warnings;
		};
		assert.ok(of('dynamic').includes('another build'));
		assert.ok(!of('fixed').includes('another build'));
	});

	test('puts disks in the order of their positions: on IDE and then SCSI in generation 1, on SCSI alone in 2', () => {
		assert.deepEqual(places([disk(5), disk(0), disk(1), disk(2), disk(3), disk(4)], 'bios'), [
			'SCSI 0:1',
			'IDE 0:0',
			'IDE 0:1',
			'IDE 1:0',
			'IDE 1:1',
			'SCSI 0:0',
		]);
		assert.deepEqual(places([disk(1), disk(0)], 'efi'), ['SCSI 0:1', 'SCSI 0:0']);
		const most = places(
			Array.from({ length: 64 }, (_none, at) => disk(at)),
			'bios',
		);
		assert.equal(new Set(most).size, 64);
	});

	test('has Secure Boot where the machine had it, by the template of its system', () => {
		const of = (config: Partial<MachineConfig>, options = {}) =>
			choose({ firmware: 'efi', ...config }, { options }).data.secureBoot;
		assert.equal(of({ secureBoot: true, os: 'linux' }), 'MicrosoftUEFICertificateAuthority');
		assert.equal(of({ secureBoot: true, os: 'windows' }), 'MicrosoftWindows');
		assert.equal(of({ secureBoot: null }), 'Off');
		assert.equal(of({ secureBoot: true }, { secureBoot: false }), 'Off');
		assert.equal(of({ secureBoot: true, firmware: 'bios' }), 'Off');
	});

	test('keeps logical sectors, makes memory even, and tells how long the switch will hold the guest up', () => {
		const { data, choices } = choose({ disks: [disk(0), disk(1, 4096)], memoryMiB: 4001, firmware: 'efi' });
		assert.deepEqual(
			data.disks.map(({ logicalSectorBytes, physicalSectorBytes }) => [logicalSectorBytes, physicalSectorBytes]),
			[
				[512, 4096],
				[4096, 4096],
			],
		);
		assert.equal(data.memoryMiB, 4002);
		const pause = choices.find(({ what }) => what === 'switch');
		assert.match(pause?.chosen ?? '', /about 42 s/);
		assert.match(pause?.why ?? '', /in two files until the machine is off/);
	});

	test('warns of a guest without known drivers, of sectors that generation 1 does not start from, and of a TPM', () => {
		const warnings = (config: Partial<MachineConfig>) => choose(config).warnings.join('\n');
		const known = [{ name: 'hyperv', learntFrom: 'spec' as const }];
		assert.match(
			warnings({ firmware: 'efi' }),
			/hv_storvsc, sd_mod, without which it does not find its disks on Hyper-V, is not known/,
		);
		const boot = {
			kernels: [],
			windows: null,
			deviceNames: [{ file: '/etc/fstab', device: '/dev/xvda1' }],
			notLookedAt: ['disk0 is encrypted'],
		};
		const named = /fstab names \/dev\/xvda1: on Hyper-V/;
		assert.match(warnings({ boot, firmware: 'efi' }), /is not known: disk0 is encrypted$/m);
		assert.match(warnings({ boot, firmware: 'efi' }), named);
		assert.doesNotMatch(warnings({ boot, firmware: 'bios' }), /is not known/);
		assert.match(warnings({ boot, firmware: 'bios' }), named);
		assert.doesNotMatch(warnings({ firmware: 'efi', drivers: known }), /hv_storvsc/);
		assert.doesNotMatch(warnings({ firmware: 'bios' }), /hv_storvsc/, 'every system has a driver for IDE');
		assert.match(warnings({ disks: [disk(0, 4096)] }), /4096 bytes, from which generation 1 does not start/);
		assert.match(warnings({ vtpm: true, os: 'windows' }), /BitLocker asks/);
	});

	test('refuses forwards, and a network that is no switch of the host', () => {
		const nic = { mac: '52:54:00:00:00:02', network: 'lan', target: 'LAN' };
		assert.equal(choose({}, { nics: [nic] }).platform, 'hyperv');
		assert.throws(() => choose({}, { nics: [{ ...nic, target: 'DMZ' }] }), {
			code: 'config_invalid',
			hint: /none, LAN/,
		});
		const forwards = [{ address: '127.0.0.1', port: 8080, guestPort: 80 }];
		assert.throws(() => choose({}, { forwards }), { code: 'config_invalid' });
	});
});
