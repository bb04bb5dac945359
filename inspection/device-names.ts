import { deviceNameSchema, type DeviceName } from '../model/boot-facts.ts';
import type { NamedFileSystem } from './file-node.ts';
import type { Notes } from './notes.ts';
import { namesAt, textAt } from './paths.ts';

const mostTextBytes = 2 ** 20;
const mostEntries = 64;
const mostNames = 16;

/** Files of whose words any may be a device. fstab(5), crypttab(5); GRUB, as Debian's and Red Hat's tools write it. */
const files = [
	'/etc/fstab',
	'/etc/crypttab',
	'/etc/default/grub',
	'/etc/kernel/cmdline',
	'/boot/grub/grub.cfg',
	'/boot/grub2/grub.cfg',
	'/boot/grub2/grubenv',
	'/boot/extlinux/extlinux.conf',
	'/grub/grub.cfg',
	'/grub2/grub.cfg',
	'/grub2/grubenv',
	'/extlinux/extlinux.conf',
];
/** https://uapi-group.org/specifications/specs/boot_loader_specification/ */
const entryFolders = ['/boot/loader/entries', '/loader/entries'];

/**
 * Names that say how a disk is attached, or which one the system found first: Documentation/admin-guide/devices.txt of Linux,
 * and the folders of systemd's 60-persistent-storage.rules. Names by UUID or label, and those of LVM, stay.
 */
const changing =
	/\/dev\/(?:(?:sd|vd|xvd|hd)[a-z]{1,3}\d*|nvme\d+n\d+(?:p\d+)?|disk\/by-(?:path|id)\/[\w.:+-]+)(?![\w.:+/-])/g;
/** Identifiers of what lies on a disk, not of the disk. */
const staying = /^\/dev\/disk\/by-id\/(?:dm-|lvm-|md-)/;

/** Disks that files of this file system call by a name that another platform changes. */
export async function deviceNamesOn(fileSystem: NamedFileSystem, notes: Notes): Promise<DeviceName[]> {
	const found: DeviceName[] = [];
	const paths = [...files];
	for (const folder of entryFolders) {
		const names = await notes.unlessUnreadable(folder, fileSystem.where, () =>
			namesAt(fileSystem, folder, name => name.endsWith('.conf'), mostEntries),
		);
		paths.push(...(names ?? []).map(name => `${folder}/${name}`));
	}
	for (const file of paths) {
		const text = await notes.unlessUnreadable(file, fileSystem.where, () => textAt(fileSystem, file, mostTextBytes));
		for (const device of text === undefined ? [] : changingNames(text)) {
			const name = deviceNameSchema.safeParse({ file, device });
			if (name.success && found.length < mostNames) found.push(name.data);
		}
	}
	return found;
}

/** Each once, in the order in which they stand there. What stands behind `#` says nothing. */
export function changingNames(text: string): string[] {
	const names = text
		.split('\n')
		.flatMap(line => (line.trimStart().startsWith('#') ? [] : (line.match(changing) ?? [])));
	return [...new Set(names)].filter(name => !staying.test(name));
}
