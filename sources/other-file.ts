/** Files that are no disk but are given for one: what they are, and what makes a disk of them. */
import { blockBytes, isTarHeader } from './tar/header.ts';
import { maxTextBytes, type OtherFile, textFileOf } from './text-file.ts';

/** Of what a file must be given for all these to be told; a little more than the largest text tells that there is more. */
export const otherFileBytes = maxTextBytes + 1;

const compressed = 'compressed by';
const gzipBeginning = '\x1f\x8b';

/** The command, of a name as a shell takes it and the same without what its compression added. */
type Unpack = (name: string, without: string) => string;

/** Through a pipe: these tools refuse a name that does not end as they want, and a download has any name. */
const unpackedBy =
	(command: string): Unpack =>
	(name, without) =>
		`${command} ${name} > ${without}`;

/** How they begin, as file(1) knows them: https://github.com/file/file/tree/master/magic/Magdir */
const beginnings: readonly [beginning: string, what: string, unpack: Unpack][] = [
	[gzipBeginning, `${compressed} gzip`, unpackedBy('gzip -dc')],
	['\xfd7zXZ\0', `${compressed} xz`, unpackedBy('xz -dc')],
	['\x28\xb5\x2f\xfd', `${compressed} zstd`, unpackedBy('zstd -dc')],
	['BZh', `${compressed} bzip2`, unpackedBy('bzip2 -dc')],
	['\x04\x22\x4d\x18', `${compressed} lz4`, unpackedBy('lz4 -dc')],
	['LZIP', `${compressed} lzip`, unpackedBy('lzip -dc')],
	['\x89LZO\0\r\n', `${compressed} lzop`, unpackedBy('lzop -dc')],
	['\x5d\0\0', `${compressed} lzma`, unpackedBy('xz --format=lzma -dc')],
	['\x1f\x9d', `${compressed} compress`, unpackedBy('gzip -dc')],
	['7z\xbc\xaf\x27\x1c', 'a 7z archive', name => `7z x ${name}`],
	['PK\x03\x04', 'a zip archive', name => `unzip ${name}`],
	['PK\x05\x06', 'an empty zip archive', name => `unzip -l ${name}`],
	['PK\x07\x08', 'a part of a zip archive', name => `unzip ${name}`],
	['Rar!\x1a\x07', 'a RAR archive', name => `unrar x ${name}`],
	['MSCF\0\0\0\0', 'a cabinet archive', name => `cabextract ${name}`],
	['MSWIM\0\0\0', 'a Windows image (WIM), which has files and no disk', name => `wimapply ${name} 1 TARGET`],
	['VMA\0', 'a backup of Proxmox (VMA)', name => `vma extract ${name} DIRECTORY`],
	['partclone-image', 'an image of partclone', name => `partclone.restore --restore_raw_file -s ${name} -o DISK`],
	['\x3a\xff\x26\xed', 'a sparse image of Android', name => `simg2img ${name} DISK`],
	[
		'\xbe\xba\xfe\xca\0\0\0\0',
		'the data of an ESXi snapshot (SEsparse) without its description',
		() => 'name the small .vmdk file beside it, with --with-backing',
	],
	['!<arch>\n', 'an archive (ar), perhaps a package of Debian', name => `ar x ${name}`],
	['\xed\xab\xee\xdb', 'a package (RPM)', name => `rpm2cpio ${name} | cpio -id`],
	...['070701', '070702', '070707', '\xc7\x71', '\x71\xc7'].map((beginning): [string, string, Unpack] => [
		beginning,
		'a cpio archive',
		name => `cpio -id < ${name}`,
	]),
	['SQLite format 3\0', 'a database (SQLite)', () => 'find the file that holds the disk'],
	['\xd2\xbe\xd2\xbe', 'the state of a machine (VMware snapshot)', () => 'name the .vmdk files beside it'],
	['EVF\x09\r\n\xff\0', 'an image of EnCase (E01)', name => `ewfexport -f raw ${name}`],
];

/**
 * What a file that begins so is, when it is no disk; `name` is how commands in the hint call it, `isWhole` says that `head` is
 * all of it.
 */
export function otherFileOf(head: Buffer, name: string, isWhole = false): OtherFile | undefined {
	const text = head.toString('latin1');
	const known = beginnings.find(([beginning]) => text.startsWith(beginning));
	const quoted = quote(name);
	const stem = name.replace(/\.(gz|xz|zst|bz2|lz4|lz|lzo|lzma|z)$/i, '');
	const without = quote(stem === name || stem === '' ? `unpacked-${name}` : stem);
	if (known) return { what: known[1], hint: `${known[2](quoted, without)}, and import the disk that comes out` };
	if (isSkippedZstd(head))
		return {
			what: `${compressed} zstd`,
			hint: `${unpackedBy('zstd -dc')(quoted, without)}, and import the disk that comes out`,
		};
	if (isTar(head)) return tarNamed(head, quoted);
	return textFileOf(head, isWhole);
}

function quote(name: string): string {
	return /^\w[\w./+,@%-]*$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

/** Skippable frames, 0x184D2A50 to 0x184D2A5F, come before the data of pzstd and of seekable files: RFC 8878, section 3.1.2. */
function isSkippedZstd(head: Buffer): boolean {
	return head.length >= 8 && (head.readUInt32LE(0) & 0xffff_fff0) >>> 0 === 0x184d2a50;
}

/** By its first header, which has a name. */
export function isTar(head: Buffer): boolean {
	return head.length >= blockBytes && head.readUInt8(0) !== 0 && isTarHeader(head.subarray(0, blockBytes));
}

/** Whether the first file of an archive is one of those that describe a machine. */
export function isAppliance(head: Buffer): boolean {
	return /^[^\0]*\.(ovf|mf|cert)\0/i.test(head.toString('latin1', 0, 512));
}

export function isGzip(head: Buffer): boolean {
	return head.toString('latin1', 0, gzipBeginning.length) === gzipBeginning;
}

function tarNamed(head: Buffer, quoted: string): OtherFile {
	const what = isAppliance(head) ? 'an appliance (OVA), an archive of a description and its disks' : 'a tar archive';
	const unpack = `tar xf ${quoted}, and import the disks that come out, in the order of the machine`;
	return { what, hint: isAppliance(head) ? `import it by a name that ends with .ova: mv ${quoted} NAME.ova` : unpack };
}
