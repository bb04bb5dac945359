import { program, type Tool } from './tools.ts';

/** What tests need besides what Rouse works with: peers that are not ours, and what no user of Rouse needs yet. */
export const testTools: readonly Tool[] = [
	program('qemu-io', 'disk access', 'qemu-utils', '7.2'),
	program('nbdinfo', 'NBD client', 'libnbd-bin'),
	program('nbdcopy', 'NBD client', 'libnbd-bin'),
	program('nbdkit', 'NBD server', 'nbdkit'),
	program('mkntfs', 'volumes of Hyper-V hosts', 'ntfs-3g'),
	program('qemu-storage-daemon', 'shows volumes as files', 'qemu-system-common'),
	program('tgtd', 'serves volumes over iSCSI', 'tgt'),
	{
		name: 'iscsi-ls',
		purpose: 'iSCSI initiator',
		debianPackage: 'libiscsi-bin',
		probe: { command: 'iscsi-ls', args: ['--help'] },
	},
	{
		name: 'iSCSI driver of QEMU',
		purpose: 'iSCSI initiator',
		debianPackage: 'qemu-block-extra',
		probe: { file: '/usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so' },
	},
	{
		name: 'sshd',
		purpose: 'stands for the SSH server of a Hyper-V host',
		debianPackage: 'openssh-server',
		probe: { file: '/usr/sbin/sshd' },
	},
	{
		name: 'ssh',
		purpose: 'asks Hyper-V hosts',
		debianPackage: 'openssh-client',
		probe: { command: 'ssh', args: ['-V'] },
	},
	program('systemd-analyze', 'judges units', 'systemd'),
	{
		name: 'ping',
		purpose: 'asks whether a machine is ready',
		debianPackage: 'iputils-ping',
		probe: { command: 'ping', args: ['-V'] },
	},
	{
		name: '7zz',
		purpose: 'reads VHDXs',
		debianPackage: '7zip',
		probe: { command: '7zz', args: ['-h'] },
	},
	{
		name: 'vhdiinfo',
		purpose: 'reads VHDXs',
		debianPackage: 'libvhdi-utils',
		probe: { command: 'vhdiinfo', args: ['-V'] },
	},
	program('sfdisk', 'partition tables of guests', 'fdisk'),
	{
		name: 'mkfs.xfs',
		purpose: 'file systems of guests',
		debianPackage: 'xfsprogs',
		probe: { command: 'mkfs.xfs', args: ['-V'] },
	},
	{
		name: 'hivexsh',
		purpose: 'registries of guests',
		debianPackage: 'libhivex-bin',
		probe: { file: '/usr/bin/hivexsh' },
	},
	{
		name: 'lvm',
		purpose: 'volumes of guests',
		debianPackage: 'lvm2',
		probe: { command: 'lvm', args: ['version'] },
	},
	{
		name: 'ensurepip',
		purpose: 'virtual environments of Python',
		debianPackage: 'python3-venv',
		probe: { command: 'python3', args: ['-c', 'import ensurepip; print(ensurepip.version())'] },
	},
	program('fio', 'load, also of measurements', 'fio'),
	{
		name: 'restic',
		purpose: 'backups that ours are measured against',
		debianPackage: 'restic',
		probe: { command: 'restic', args: ['version'] },
	},
	program('zsh', 'completion', 'zsh'),
	program('man', 'manual pages', 'man-db'),
];

/** What only the tier `long` needs: it makes the appliance of Hyper-V hosts, and runs libvirt. */
export const longTestTools: readonly Tool[] = [
	program('mmdebstrap', 'makes the appliance', 'mmdebstrap'),
	{
		name: 'mkfs.xfs',
		purpose: 'makes the appliance',
		debianPackage: 'xfsprogs',
		probe: { command: 'mkfs.xfs', args: ['-V'] },
	},
	{
		name: 'mkfs.vfat',
		purpose: 'makes the appliance',
		debianPackage: 'dosfstools',
		probe: { command: 'mkfs.vfat', args: ['--help'] },
	},
	program('mcopy', 'makes the appliance', 'mtools'),
	program('sfdisk', 'makes the appliance', 'fdisk'),
	program('virsh', 'asks libvirt', 'libvirt-clients'),
	program('libvirtd', 'has machines that are backed up', 'libvirt-daemon'),
	{
		name: 'QEMU driver of libvirt',
		purpose: 'has machines that are backed up',
		debianPackage: 'libvirt-daemon-driver-qemu',
		probe: { file: '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so' },
	},
];
