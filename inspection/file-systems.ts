import { openExt4 } from './ext4/file-system.ts';
import type { FileSystem } from './file-node.ts';
import { openNtfs } from './ntfs/file-system.ts';
import type { Volume } from './volume.ts';
import { openXfs } from './xfs/file-system.ts';

/** What is told by a magic alone: offset, bytes, and what it is. In the order in which they are looked for. */
const others: readonly (readonly [atBytes: number, magic: string, name: string])[] = [
	// https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html#superblock
	[0x1_0040, '_BHRfS_M', 'btrfs'],
	// https://gitlab.com/cryptsetup/LUKS2-docs, section 2.1
	[0, 'LUKS\xba\xbe', 'an encrypted volume (LUKS)'],
	[3, '-FVE-FS-', 'an encrypted volume (BitLocker)'],
	[3, 'ReFS\0\0\0\0', 'ReFS'],
	[0x1000, '\xfc\x4e\x2b\xa9', 'a part of a RAID (md)'],
	[4086, 'SWAPSPACE2', 'swap space'],
];

/** What is nothing to boot from, and so nothing to tell of. */
const silent = ['swap space'];

/** The file system of a volume; the name of what is not read; undefined for what is not known at all. */
export async function openFileSystem(volume: Volume): Promise<FileSystem | string | undefined> {
	const opened = (await openExt4(volume)) ?? (await openXfs(volume)) ?? (await openNtfs(volume));
	if (opened !== undefined) return opened;
	for (const [atBytes, magic, name] of others) {
		if (atBytes + magic.length > volume.sizeBytes) continue;
		const found = (await volume.read(atBytes, magic.length)).toString('latin1');
		if (found === magic) return silent.includes(name) ? undefined : name;
	}
	return undefined;
}
