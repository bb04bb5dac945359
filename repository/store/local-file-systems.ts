import { statfsSync } from 'node:fs';

/** `f_type` of file systems that lie on disks of this machine, or in its memory (linux/magic.h; XFS_SUPER_MAGIC, ZFS_SUPER_MAGIC). */
const localTypes: ReadonlySet<number> = new Set([
	0xef53, // ext2, ext3, ext4
	0x58465342, // XFS
	0x9123683e, // Btrfs
	0xf2f52010, // F2FS
	0x2fc12fc1, // ZFS
	0x01021994, // tmpfs
]);

/** Whether a read there ends, if with an error. On a network, or in a program's file system, it may hang for as long as that likes. */
export function isOnLocalDisk(path: string): boolean {
	try {
		return localTypes.has(statfsSync(path).type);
	} catch {
		return false;
	}
}
