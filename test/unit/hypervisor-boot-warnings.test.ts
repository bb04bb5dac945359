import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { bootWarnings } from '../../hypervisors/boot-warnings.ts';
import { hypervGuest as guestOfHyperv } from '../../hypervisors/hyperv/guest-needs.ts';
import { guestNeeds } from '../../hypervisors/qemu/guest-needs.ts';
import { driverFamiliesIn } from '../../inspection/driver-families.ts';
import { lookedForModules } from '../../inspection/linux-modules.ts';
import type { BootFacts, KernelFacts, ModuleFacts } from '../../model/boot-facts.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const early: ModuleFacts = { early: 'initramfs', installed: true };
const late: ModuleFacts = { early: 'no', installed: true };
const absent: ModuleFacts = { early: 'no', installed: false };
const unseen: ModuleFacts = { early: null, installed: true };

function kernel(version: string, modules: Record<string, ModuleFacts>, others: ModuleFacts = early): KernelFacts {
	return { version, modules: { ...Object.fromEntries(lookedForModules.map(name => [name, others])), ...modules } };
}

function guest(boot: Partial<BootFacts> | null, config: Partial<MachineConfig> = {}): MachineConfig {
	const nics = [{ mac: '52:54:00:00:00:01', network: 'lan' }];
	const facts = boot && { kernels: [], windows: null, deviceNames: [], notLookedAt: [], ...boot };
	return { ...sampleConfig, nics, boot: facts, ...config };
}

const place = (controller: 'IDE' | 'SCSI') => ({
	slot: { controller, number: 0, location: 0 },
	logicalSectorBytes: 512 as const,
	physicalSectorBytes: 4096 as const,
});
const hypervGuest = guestOfHyperv({ disks: [place('IDE'), place('SCSI')] });
const onIde = guestOfHyperv({ disks: [place('IDE')] });
const onQemu = guestNeeds({ diskBus: 'virtio', nicModel: 'virtio' });
const whole = kernel('6.1.0-18-amd64', {});

suite('`bootWarnings`', () => {
	test('says nothing of a guest that has all drivers, nor of one that is neither Linux nor Windows', () => {
		for (const needs of [hypervGuest, onQemu, guestNeeds({ diskBus: 'sata', nicModel: 'e1000e' })]) {
			assert.deepEqual(bootWarnings(guest({ kernels: [whole] }), needs), []);
			assert.deepEqual(bootWarnings(guest({ kernels: [kernel('1', {}, absent)] }, { os: 'other' }), needs), []);
		}
	});

	test('names the modules for the disks that the newest kernel lacks, and what to do', () => {
		const cloud = kernel('6.1.0-18-cloud', { hv_vmbus: late, hv_storvsc: { early: 'blocked', installed: true } });
		assert.deepEqual(bootWarnings(guest({ kernels: [cloud] }), hypervGuest), [
			'kernel 6.1.0-18-cloud has no hv_vmbus, hv_storvsc built in or in its initramfs: on Hyper-V it does not find its disks; add them to its initramfs and back it up again',
		]);
		const [warning] = bootWarnings(
			guest({ kernels: [cloud, kernel('6.1.0-17', { hv_vmbus: absent }), whole] }),
			hypervGuest,
		);
		assert.match(warning ?? '', /; choose kernel 6\.1\.0-18-amd64 in its boot menu, which has them, or add them/);
		const dull = kernel('6.1.0-19', { virtio_blk: late });
		assert.deepEqual(bootWarnings(guest({ kernels: [dull] }), onQemu), [
			'kernel 6.1.0-19 has no virtio_blk built in or in its initramfs: on QEMU it does not find its disks; give QEMU the option disks: sata, or add them to its initramfs and back it up again',
		]);
	});

	test('takes the emulated IDE of Hyper-V for enough where all disks are on it', () => {
		const plain = kernel('5.10', { hv_vmbus: absent, hv_storvsc: absent });
		const bare = kernel('5.10', { hv_vmbus: absent, ata_piix: late });
		assert.deepEqual(bootWarnings(guest({ kernels: [plain] }), onIde), []);
		assert.match(bootWarnings(guest({ kernels: [plain] }), hypervGuest).join(), /has no hv_vmbus, hv_storvsc/);
		assert.match(bootWarnings(guest({ kernels: [bare] }), onIde).join(), /has no hv_vmbus built in/);
		const starts = { vmbus: 3, storvsc: 3, atapi: 0, intelide: 0 };
		const windows = guest({ windows: { starts } }, { os: 'windows' });
		assert.deepEqual(bootWarnings(windows, onIde), []);
		assert.equal(bootWarnings(windows, hypervGuest).length, 1);
	});

	test('names the modules for the NICs that are not even installed, of a machine with NICs', () => {
		const facts = { kernels: [kernel('6.1.0-19', { hv_netvsc: absent })] };
		assert.deepEqual(bootWarnings(guest(facts), hypervGuest), [
			'kernel 6.1.0-19 comes without hv_netvsc: on Hyper-V it does not find its NICs',
		]);
		assert.deepEqual(bootWarnings(guest(facts, { nics: [] }), hypervGuest), []);
		assert.deepEqual(bootWarnings(guest({ kernels: [kernel('6.1.0-19', { hv_netvsc: late })] }), hypervGuest), []);
	});

	test('of what was not seen it claims nothing, and where Linux may lack the drivers it says why it does not know', () => {
		const notLookedAt = ['initramfs of 5.14 on disk0: it is packed by xz'];
		const unknown =
			/^whether it has hv_vmbus, hv_storvsc, sd_mod, without which it does not find its disks on Hyper-V, is not known: /;
		for (const facts of [null, { notLookedAt }, { kernels: [kernel('5.14', {}, unseen)], notLookedAt }]) {
			const [warning, ...others] = bootWarnings(guest(facts), hypervGuest);
			assert.deepEqual(others, []);
			assert.match(warning ?? '', unknown);
			assert.match(warning ?? '', facts === null ? /nobody looked into its disks$/ : /it is packed by xz$/);
			assert.deepEqual(bootWarnings(guest(facts), onQemu), []);
			const said = { drivers: [{ name: 'hyperv', learntFrom: 'spec' as const }] };
			assert.deepEqual(bootWarnings(guest(facts, said), hypervGuest), []);
		}
	});

	test('names the drivers that Windows does not start when it boots, also of a point that says linux', () => {
		const starts = { vmbus: 0, storvsc: 3, viostor: null, storahci: 3, msahci: 0 };
		const facts = { windows: { starts } };
		const asWindows = guest(facts, { os: 'windows' });
		const onHyperv = 'Windows does not start storvsc (Start is 3) when it boots: on Hyper-V it may not find its disks';
		assert.deepEqual(bootWarnings(asWindows, hypervGuest), [onHyperv]);
		assert.deepEqual(bootWarnings(asWindows, onQemu), [
			'Windows does not start viostor (not there) when it boots: on QEMU it may not find its disks; give QEMU the option disks: sata',
		]);
		assert.deepEqual(bootWarnings(asWindows, guestNeeds({ diskBus: 'sata', nicModel: 'e1000e' })), []);
		const [other, ...rest] = bootWarnings(guest(facts), hypervGuest);
		assert.match(other ?? '', /^Windows is on its disks, but the restore point says linux/);
		assert.deepEqual(rest, [onHyperv]);
		assert.deepEqual(bootWarnings(guest({ ...facts, kernels: [whole] }), hypervGuest), []);
		const [unknown, ...none] = bootWarnings(guest({ notLookedAt: ['disk0: no'] }, { os: 'windows' }), hypervGuest);
		assert.match(unknown ?? '', /^whether it has vmbus, storvsc, .* is not known: disk0: no$/);
		assert.deepEqual(none, []);
		assert.deepEqual(bootWarnings(guest({}, { os: 'windows' }), onQemu), []);
	});

	test('names files that call a disk by a name it does not have there', () => {
		const deviceNames = [
			{ file: '/etc/fstab', device: '/dev/vda1' },
			{ file: '/etc/fstab', device: '/dev/vda2' },
			{ file: '/boot/grub/grub.cfg', device: '/dev/sda1' },
		];
		const facts = { kernels: [whole], deviceNames };
		assert.deepEqual(bootWarnings(guest(facts), hypervGuest), [
			'/etc/fstab names /dev/vda1, /dev/vda2: on Hyper-V disks are /dev/sda and so on, in any order; by UUID it finds them everywhere',
		]);
		assert.match(
			bootWarnings(guest(facts), onQemu).join(),
			/^\/boot\/grub\/grub\.cfg names \/dev\/sda1: on QEMU disks are \/dev\/vda/,
		);
		assert.equal(bootWarnings(guest(facts, { disks: sampleDisks(2) }), hypervGuest).length, 2);
	});
});

test('`driverFamiliesIn` goes by what the newest kernel has before it looks for its disks', () => {
	assert.deepEqual(driverFamiliesIn({ kernels: [whole] }), ['hyperv', 'virtio']);
	const newest = kernel('6.2', { hv_storvsc: late, virtio_blk: { early: 'kernel', installed: true } });
	assert.deepEqual(driverFamiliesIn({ kernels: [newest, whole] }), ['virtio']);
	assert.deepEqual(driverFamiliesIn({ kernels: [kernel('6.3', { sd_mod: unseen, virtio_pci: unseen })] }), []);
	assert.deepEqual(driverFamiliesIn({ kernels: [] }), []);
});
