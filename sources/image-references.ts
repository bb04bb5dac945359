import { basename } from 'node:path';
import { RouseError } from '../model/errors.ts';
import type { ImageFormat } from './image-format.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';
import { maxHeaderBytes, parseQcow2Header } from './qcow2-header.ts';
import { vhdFooter } from './vhd-footer.ts';
import { describeVhdx } from '../vhdx/open.ts';
import { vhdxBytes } from './vhdx.ts';
import { parentPlaces } from './vhdx-parent.ts';
import { embeddedDescriptor, maxDescriptorBytes, parseVmdkDescriptor, type VmdkExtent } from './vmdk-descriptor.ts';

/** The other files that an image needs, as it names them; read by us, since a tool of QEMU would follow what it reads. */
export interface ImageReferences {
	extents: VmdkExtent[];
	backing?: BackingReference | undefined;
	/** QEMU does not read it as it is meant. */
	isForUsAlone: boolean;
	/** Of the disk as it is, where the format has such a thing. */
	contentId?: string | undefined;
	dataFile?: string | undefined;
	dataFileIsRaw: boolean;
	virtualBytes: number;
}

export interface BackingReference {
	/** The places where it may lie, in the order in which they are looked at: one, but for formats of Windows. */
	names: readonly [string, ...string[]];
	/** Windows does not tell upper case from lower, and whoever names a file to it may write either. */
	isOfWindows?: boolean;
	format: string | undefined;
	/** What its `contentId` must be: one of these. Undefined where the format has no such thing. */
	contentIds?: readonly string[] | undefined;
}

const none: ImageReferences = { extents: [], isForUsAlone: false, dataFileIsRaw: false, virtualBytes: 0 };

/** Throws `source_invalid` when they cannot be told, or belong to a chain that QEMU cannot read. */
export async function referencesOf(file: OpenedFile, format: ImageFormat): Promise<ImageReferences> {
	if (format === 'qcow2') {
		const { backing, backingFormat, ...found } = parseQcow2Header(await bytesAt(file, 0, maxHeaderBytes));
		return {
			...none,
			...found,
			backing: backing === undefined ? undefined : { names: [backing], format: backingFormat },
		};
	}
	if (format === 'vmdk') return await vmdkReferences(file);
	if (format === 'vdi') return await vdiReferences(file);
	if (format === 'vhdx') return await vhdxReferences(file);
	// QEMU takes what such a disk does not have itself for zeros.
	if (format === 'vhd' && (await vhdFooter(file))?.isDifferencing) throw differencing();
	return none;
}

function differencing(): RouseError {
	return new RouseError('source_invalid', 'it is only a part, a differencing disk, and the rest is in its parent', {
		hint: 'merge it where it was made, or export the machine there',
	});
}

/** Image types of VDICore.h of Oracle VM VirtualBox: undo and differencing disks. */
const vdiParts = [3, 4];
const vdiWholes = [1, 2];

async function vdiReferences(file: OpenedFile): Promise<ImageReferences> {
	const header = await bytesAt(file, 0, 512);
	const kind = header.length >= 80 ? header.readUInt32LE(76) : undefined;
	if (kind !== undefined && vdiParts.includes(kind)) throw differencing();
	if (kind !== undefined && !vdiWholes.includes(kind))
		throw new RouseError('source_invalid', `it is a VDI of type ${kind}, which is not known`, {
			hint: 'copy it again, or convert it where it was made',
		});
	return none;
}

/** QEMU 7.2 opens neither those with sectors of 4096 bytes nor those with parents ("Operation not supported", block/vhdx.c). */
async function vhdxReferences(file: OpenedFile): Promise<ImageReferences> {
	const { geometry, ids, parent } = await describeVhdx(await vhdxBytes(file));
	const isForUsAlone = geometry.logicalSectorBytes !== 512 || parent !== undefined;
	const found = { ...none, isForUsAlone, contentId: ids.dataWriteGuid };
	if (parent === undefined) return found;
	const [name, ...others] = parentPlaces(parent);
	if (name === undefined)
		throw new RouseError('source_invalid', 'it is a differencing disk, and no path of its parent names a file', {
			hint: 'merge it where it was made, or export the machine there',
		});
	const contentIds = [parent.linkage, ...(parent.otherLinkage === undefined ? [] : [parent.otherLinkage])];
	return { ...found, backing: { names: [name, ...others], isOfWindows: true, format: 'vhdx', contentIds } };
}

/** The description is beside it, and called as it is without its number or kind. */
function partOfVmdk({ path }: OpenedFile, what: string): RouseError {
	const whole = basename(path).replace(/-(s\d+|f\d+|flat|delta|sesparse)(?=\.vmdk$)/i, '');
	const beside = whole === basename(path) ? 'the small file beside it that names it' : whole;
	return new RouseError('source_invalid', `it is ${what}`, {
		hint: `import its description, ${beside}, with all parts beside it`,
	});
}

async function vmdkReferences(file: OpenedFile): Promise<ImageReferences> {
	const header = await bytesAt(file, 0, 512);
	const magic = header.toString('latin1', 0, 4);
	if (magic === 'COWD') throw partOfVmdk(file, 'the data of an ESX disk or snapshot (COWD) without its description');
	const place =
		magic === 'KDMV' ? embeddedDescriptor(header) : { atBytes: 0, lengthBytes: maxDescriptorBytes, isWhole: false };
	if (place === undefined) throw partOfVmdk(file, 'one part of a split VMDK');
	const text = (await bytesAt(file, place.atBytes, place.lengthBytes)).toString('utf8');
	// QEMU makes parts with room for a description, and leaves it empty.
	if (magic === 'KDMV' && !/^\s*version\s*=/im.test(text)) throw partOfVmdk(file, 'one part of a split VMDK');
	const { parent, parentContentId, ...found } = parseVmdkDescriptor(text, file.path, place.isWhole);
	if (parent === undefined) return { ...none, ...found };
	const contentIds = parentContentId === undefined ? undefined : [parentContentId];
	return { ...none, ...found, backing: { names: [parent], format: 'vmdk', contentIds } };
}
