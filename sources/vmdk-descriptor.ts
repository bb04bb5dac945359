/**
 * What a VMDK refers to: "Virtual Disk Format 5.0" (VMware), sections "The Descriptor File" and "Hosted Sparse Extent
 * Header". QEMU 7.2 leaves out the lines that it does not understand, and with them their data; here they are refused.
 */
import { basename } from 'node:path';
import { RouseError } from '../model/errors.ts';

export interface VmdkExtent {
	/** Undefined for one of zeros (ZERO), which has no file. */
	name: string | undefined;
	sizeBytes: number;
	/** The bytes as they are, from this offset of the file on; undefined when the extent has tables of its own. */
	flatAtBytes: number | undefined;
}

export interface VmdkReferences {
	extents: VmdkExtent[];
	/** QEMU would leave extents out, or not open it. None of its extents has tables then. */
	isForUsAlone: boolean;
	/** The image of which this one is a snapshot. */
	parent: string | undefined;
	/** "CID": another one after each change of the disk; `parentContentId`: that of the parent when this one was made upon it. */
	contentId: string | undefined;
	parentContentId: string | undefined;
}

/** As much as QEMU reads of one. */
export const maxDescriptorBytes = 2 ** 20;
const sectorBytes = 512;
/** QEMU takes any number; split disks have one extent for each 2 GB. */
const maxExtents = 1024;
const maxNameBytes = 255;
const devices = [
	'fullDevice',
	'partitionedDevice',
	'vmfsRaw',
	'vmfsRDM',
	'vmfsRawDeviceMap',
	'vmfsPassthroughRawDeviceMap',
];
const deviceTypes = ['VMFSRDM', 'VMFSRAW', 'VMFSRDMP', 'RAW'];
const flatTypes = ['FLAT', 'VMFS', 'ZERO'];
/** What QEMU 7.2 opens: vmdk_open_desc_file of block/vmdk.c. */
const kindsOfQemu = ['monolithicFlat', 'vmfs', 'vmfsSparse', 'seSparse', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'];
/** As QEMU takes extents of bytes as they are: vmdk_parse_extents. It passes over other accesses and types in silence. */
const flatOfQemu = /^RW\s+\d+\s+(FLAT\s+"[^"]*"\s+\d+|VMFS\s+"[^"]*")$/;
const sparseTypes = ['SPARSE', 'VMFSSPARSE', 'SESPARSE'];

/**
 * Where a sparse extent has its descriptor, by its first sector; undefined when it has none. `isWhole`: the extent is the
 * disk itself, and the extents that the descriptor names are only itself again.
 */
export function embeddedDescriptor(
	header: Buffer,
): { atBytes: number; lengthBytes: number; isWhole: boolean } | undefined {
	if (header.length < 44 || header.toString('latin1', 0, 4) !== 'KDMV') return undefined;
	const [capacity, at, length] = [12, 28, 36].map(field => header.readBigUInt64LE(field));
	if (at === undefined || at === 0n || length === undefined) return undefined;
	const isWhole = capacity !== 0n;
	// QEMU reads one that names other extents to its last possible byte, whatever length is given.
	const lengthBytes = isWhole ? Math.min(Number(length) * sectorBytes, maxDescriptorBytes) : maxDescriptorBytes;
	return { atBytes: Number(at) * sectorBytes, lengthBytes, isWhole };
}

/**
 * `fileName`: that of the descriptor. Throws `source_invalid` for whatever is not understood, and for devices. `isWhole`: its
 * extents are only the file itself again, often by another name, and do not matter.
 */
export function parseVmdkDescriptor(text: string, fileName: string, isWhole = false): VmdkReferences {
	const end = text.indexOf('\0');
	const lines = (end === -1 ? text : text.slice(0, end)).split('\n').map(line => line.trim());
	const fields = fieldsOf(lines);
	const ids = { contentId: idOf(fields.get('cid')), parentContentId: idOf(fields.get('parentcid')) };
	const found = { ...ids, parent: parentOf(fields) };
	if (isWhole) return { ...found, extents: [], isForUsAlone: false };
	const extentLines = lines.filter(line => /^(RW|RDONLY|NOACCESS)\s/i.test(line));
	if (extentLines.length > maxExtents)
		throw invalid(`it has ${extentLines.length} extents, and ${maxExtents} at most are read`);
	const kind = fields.get('createtype');
	if (kind !== undefined && devices.includes(kind)) throw ofDevice(`a disk of type ${kind}`);
	if (extentLines.length === 0) throw invalid('it is a description that names no data', wholeAgain);
	const extents = extentLines.map(line => extentOf(line, fileName));
	const areFlat = extents.every(({ flatAtBytes }) => flatAtBytes !== undefined);
	const odd = extentLines.find((line, index) => extents[index]?.flatAtBytes !== undefined && !flatOfQemu.test(line));
	if (odd !== undefined && !areFlat)
		throw invalid(
			`beside extents with tables it has one that QEMU leaves out: ${JSON.stringify(odd.slice(0, 100))}`,
			convert,
		);
	const isForUsAlone = areFlat && (odd !== undefined || !kindsOfQemu.includes(kind ?? ''));
	return { ...found, extents, isForUsAlone };
}

function fieldsOf(lines: readonly string[]): Map<string, string> {
	const fields = new Map<string, string>();
	for (const line of lines) {
		const equals = line.indexOf('=');
		if (equals === -1 || line.startsWith('#')) continue;
		fields.set(line.slice(0, equals).trim().toLowerCase(), unquoted(line.slice(equals + 1).trim()));
	}
	return fields;
}

function unquoted(value: string): string {
	return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** A number of 32 bits, which some write with zeros before it and some without. */
function idOf(text: string | undefined): string | undefined {
	return text === undefined || !/^[\da-f]{1,8}$/i.test(text) ? undefined : text.toLowerCase().padStart(8, '0');
}

/** `ffffffff`: none ("The Header"). */
function parentOf(fields: ReadonlyMap<string, string>): string | undefined {
	const parentId = fields.get('parentcid')?.toLowerCase();
	if (parentId === undefined || /^f{8}$/.test(parentId)) return undefined;
	const parent = fields.get('parentfilenamehint');
	if (parent === undefined) throw invalid('it is a snapshot, and does not say of what', convert);
	return parent;
}

function extentOf(line: string, fileName: string): VmdkExtent {
	const [, access = '', sectors = '', type = '', name = '', offset] =
		/^(\w+)\s+(\d{1,12})\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d{1,12}))?)?$/.exec(line) ?? [];
	const sayLine = JSON.stringify(line.slice(0, 100));
	if (deviceTypes.includes(type.toUpperCase()) || name.startsWith('/dev/')) throw ofDevice(`the extent ${sayLine}`);
	if (access.toUpperCase() === 'NOACCESS') throw invalid(`it has an extent that nobody may read: ${sayLine}`, convert);
	const isFlat = flatTypes.includes(type);
	if (
		!/^(RW|RDONLY)$/.test(access) ||
		!(isFlat || (access === 'RW' && offset === undefined && sparseTypes.includes(type)))
	)
		throw invalid(`it has an extent that is not understood: ${sayLine}`, convert);
	if (Number(sectors) === 0) throw invalid(`it has an extent without sectors: ${sayLine}`, wholeAgain);
	if (type === 'ZERO') return { name: undefined, sizeBytes: Number(sectors) * sectorBytes, flatAtBytes: 0 };
	refuseForeignName(name, fileName);
	const flatAtBytes = isFlat ? Number(offset ?? 0) * sectorBytes : undefined;
	return { name, sizeBytes: Number(sectors) * sectorBytes, flatAtBytes };
}

/**
 * An extent lies beside its descriptor and is called as it is, `web01-flat.vmdk` for `web01.vmdk`: else the maker of a
 * descriptor could have any file of this host, or another machine's disk, read as a part of it.
 */
function refuseForeignName(name: string, fileName: string): void {
	const stem = basename(fileName).replace(/(?<=.)\.vmdk$/i, '');
	const isPlain = !/[/\\:]|\p{Cc}/u.test(name) && Buffer.byteLength(name) <= maxNameBytes;
	if (isPlain && name.startsWith(stem) && !/^[\p{L}\p{N}]/u.test(name.slice(stem.length))) return;
	throw new RouseError(
		'source_invalid',
		`its data is in ${JSON.stringify(name.slice(0, maxNameBytes))}, and only files beside it are read whose names begin with "${stem}"`,
		{ hint: `convert it where it was made, or name the files as they were: ${stem}.vmdk, ${stem}-flat.vmdk` },
	);
}

function ofDevice(what: string): RouseError {
	return new RouseError('source_invalid', `it stands for a device of the host it comes from: ${what}`, {
		hint: 'import the device itself, by its path',
	});
}

const convert = 'convert it where it was made';
const wholeAgain = 'copy it again, or convert it where it was made';

function invalid(what: string, hint?: string): RouseError {
	return new RouseError('source_invalid', what, { hint });
}
