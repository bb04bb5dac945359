import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changingNames } from '../../inspection/device-names.ts';
import { compareVersions } from '../../inspection/linux.ts';
import { builtInModules, dependingModules, forbiddenModules, moduleNameOf } from '../../inspection/linux-modules.ts';

test('`changingNames` takes names that say how a disk is attached, each once, and no comments', () => {
	for (const name of ['sda', 'sda1', 'sdaa12', 'vdb2', 'xvda1', 'hda1', 'nvme0n1p1', 'nvme1n1'])
		assert.deepEqual(changingNames(`root=/dev/${name} ro`), [`/dev/${name}`]);
	for (const name of ['disk/by-path/pci-0000:00:1f.2-ata-1-part1', 'disk/by-id/google-boot-part1'])
		assert.deepEqual(changingNames(`/dev/${name} / ext4`), [`/dev/${name}`]);
	for (const name of [
		'mapper/vg-root',
		'vg/sda1',
		'sdcard',
		'sr0',
		'md0',
		'disk/by-uuid/1-2',
		'disk/by-label/sda1',
		'disk/by-id/dm-name-vg-root',
		'disk/by-id/lvm-pv-uuid-a',
		'sda1/x',
	])
		assert.deepEqual(changingNames(`/dev/${name}\t/\text4`), [], name);
	assert.deepEqual(changingNames('# / was on /dev/sda1\n/dev/sda2 a\n  #/dev/sda3\n/dev/sda2 b\n'), ['/dev/sda2']);
});

test('`moduleNameOf` takes modules, packed or not, with one spelling', () => {
	assert.equal(moduleNameOf('kernel/drivers/scsi/hv_storvsc.ko'), 'hv_storvsc');
	assert.equal(moduleNameOf('hv-vmbus.ko.xz'), 'hv_vmbus');
	assert.equal(moduleNameOf('kernel/drivers/hv/hv_vmbus.ko.zst'), 'hv_vmbus');
	for (const other of ['modules.dep', 'hv_vmbus.kobject', 'hv_vmbus.ko.sig', 'etc/x.ko/y', ''])
		assert.equal(moduleNameOf(other), undefined);
});

test('lists of modules are read by their lines', () => {
	assert.deepEqual([...builtInModules('kernel/a/b-c.ko\n\nkernel/d.ko.zst\nno module\n')], ['b_c', 'd']);
	assert.deepEqual([...dependingModules('kernel/a.ko.xz: kernel/b.ko.xz\nkernel/c.ko:\n')], ['a', 'c']);
	assert.deepEqual(
		forbiddenModules(
			'blacklist hv-utils\n#blacklist a\noptions b c=1\ninstall d /bin/false\ninstall e /sbin/modprobe e\n',
		),
		['hv_utils', 'd'],
	);
});

test('`compareVersions` goes by numbers', () => {
	const versions = ['5.14.0-9.el9', '6.1.0-9-amd64', '5.14.0-362.el9', '6.1.0-18-amd64', '6.10.3'];
	assert.deepEqual(versions.toSorted(compareVersions), [
		'5.14.0-9.el9',
		'5.14.0-362.el9',
		'6.1.0-9-amd64',
		'6.1.0-18-amd64',
		'6.10.3',
	]);
});
