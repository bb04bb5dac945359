/** What of Debian is in the appliance. */

export const suite = 'bookworm';

/** Debian's own names: whoever has a mirror nearer by tells apt, or `http_proxy`. */
export const sources = [
	`deb http://deb.debian.org/debian ${suite} main`,
	`deb http://deb.debian.org/debian ${suite}-updates main`,
	`deb http://deb.debian.org/debian-security ${suite}-security main`,
];

/** What these depend on comes with them; what they recommend does not. No LVM and no RAID: disks of guests are left alone. */
export const packages: readonly string[] = [
	// hv_*, virtio, nbd and the kernel's iSCSI target
	'linux-image-cloud-amd64',
	'zstd',
	'systemd-sysv',
	// the power button, by logind
	'dbus',
	'libpam-systemd',
	'systemd-boot-efi',
	'systemd-timesyncd',
	'udev',
	'kmod',
	'iproute2',
	'procps',
	'xfsprogs',
	// volumes, and who serves them
	'ntfs-3g',
	'tgt',
	'qemu-utils',
	'qemu-system-common',
	// the way to the Windows host, and keys
	'openssh-client',
	'openssl',
	'ca-certificates',
];

/** Not unpacked. Licences are. */
export const excludedPaths = ['/usr/share/man/*', '/usr/share/info/*', '/usr/share/doc/*', '/usr/share/locale/*'];
export const includedPaths = ['/usr/share/doc/*/copyright'];

/** Enabled beside what packages enable by themselves. */
export const enabledUnits = [
	'systemd-networkd.service',
	'systemd-timesyncd.service',
	'rouse-first-boot.service',
	'rouse-supervisor.service',
	'rouse-worker.service',
	'rouse-report.service',
];
