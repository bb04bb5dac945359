import { dirname, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { placeOf } from './backing-place.ts';
import { formatOf, type ImageFormat, nameOf } from './image-format.ts';
import { type BackingReference, type ImageReferences, referencesOf } from './image-references.ts';
import { doubtsOf } from './image-doubts.ts';
import { type OpenedFile, openFile, referredPath } from './opened-file.ts';
import type { VmdkExtent } from './vmdk-descriptor.ts';

export interface ImageExtent extends VmdkExtent {
	/** Undefined for one of zeros. */
	file: OpenedFile | undefined;
}

/** One image of a chain, with the files that its disk's data is in. */
export interface ImageLayer {
	format: ImageFormat;
	file: OpenedFile;
	extents: ImageExtent[];
	dataFile: { file: OpenedFile; leastBytes: number } | undefined;
	/** QEMU must not be given it, which would leave out what it does not know, or knows it not at all. */
	isForUsAlone: boolean;
}

export interface ImageTrust {
	/** What the person said of the image itself. */
	format?: ImageFormat | undefined;
	/** Whether the files that the image refers to may be read: backing files, parents, data files. */
	withBacking?: boolean | undefined;
	/** Of an image that is cut the part that is there is taken; what is missing reads as zeros. */
	partial?: boolean | undefined;
	/** Told of each such file, by a sentence, before it is opened. */
	onReference?: ((message: string) => void) | undefined;
	/** Told of what may be right, and more often is a copy that broke off. */
	onDoubt?: ((warning: string) => void) | undefined;
}

/** QEMU opens deeper chains, and nobody means them. */
const maxLayers = 64;

/**
 * Opens an image, or takes one that was opened, and, when they are trusted, opens the images beneath it: top first. Extents of
 * a VMDK are its own and need no trust. Throws `source_invalid`; nothing is left open then.
 */
export async function openLayers(image: string | OpenedFile, trust: ImageTrust): Promise<ImageLayer[]> {
	const layers: ImageLayer[] = [];
	const { path, opened } = typeof image === 'string' ? { path: image } : { path: image.path, opened: image };
	try {
		let beneath: Beneath | undefined = { path, opened, format: trust.format, trust };
		while (beneath !== undefined) {
			if (layers.length === maxLayers)
				throw new RouseError('source_invalid', `${path} is the top of more than ${maxLayers} images`);
			beneath = await openLayer(layers, beneath);
		}
		refuseInChain(layers);
		return layers;
	} catch (error) {
		await closeLayers(layers);
		throw error;
	}
}

/** QEMU runs as the owner of the image; where we read ourselves, what he may not read must not be read for him either. */
function refuseForeign(layers: readonly ImageLayer[]): void {
	const [top] = layers;
	if (!top?.isForUsAlone) return;
	const { uid } = top.file.found;
	const mayRead = ({ found: of }: OpenedFile) => uid === 0 || of.uid === uid || (of.mode & 0o004) !== 0;
	const foreign = layers.flatMap(filesOf).find(file => !mayRead(file));
	if (foreign === undefined) return;
	throw new RouseError('source_invalid', `${foreign.path} may not be read by user ${uid}, who owns ${top.file.path}`, {
		hint: 'give both to one owner',
	});
}

function refuseInChain(layers: readonly ImageLayer[]): void {
	const alone = layers.find(layer => layer.isForUsAlone);
	if (alone === undefined || layers.length === 1 || layers.every(({ format }) => format === 'vhdx')) return;
	throw new RouseError(
		'source_invalid',
		`${alone.file.path} is of a kind that QEMU does not read, and belongs to a chain`,
		{
			hint: 'convert it where it was made, or export the machine there',
		},
	);
}

export async function closeLayers(layers: readonly ImageLayer[]): Promise<void> {
	await Promise.all(layers.flatMap(filesOf).map(file => file.handle.close()));
}

export function filesOf({ file, extents, dataFile }: ImageLayer): OpenedFile[] {
	return [file, ...extents.flatMap(extent => extent.file ?? []), ...(dataFile ? [dataFile.file] : [])];
}

interface Beneath {
	path: string;
	opened?: OpenedFile | undefined;
	format: ImageFormat | undefined;
	trust: ImageTrust;
	/** Of the disk that lies on it, where that is known. */
	aboveBytes?: number;
	/** What the image above it says that it is, and its path. */
	wanted?: { contentIds: readonly string[]; byPath: string } | undefined;
}

/** Adds a layer as soon as it has a file to close, and tells what is beneath it. */
async function openLayer(
	layers: ImageLayer[],
	{ path, opened, format: said, trust, aboveBytes = 0, wanted }: Beneath,
): Promise<Beneath | undefined> {
	const file = opened ?? (await openFile(path, { follow: true }));
	const layer: ImageLayer = { format: 'raw', file, extents: [], dataFile: undefined, isForUsAlone: false };
	layers.push(layer);
	refuseCycle(layers, file);
	layer.format = await formatOf(file, said);
	// What has no tables cannot be told from a smaller disk that was made larger in the image above it.
	if (layer.format === 'raw' && file.found.isFile() && file.sizeBytes < aboveBytes)
		trust.onDoubt?.(
			`${path} has ${exactBytes(file.sizeBytes)}, and the disk on it ${exactBytes(aboveBytes)}: behind its end there are zeros. Is it cut short?`,
		);
	const doubts = await doubtsOf(file, { format: layer.format, said, isTop: layers.length === 1 });
	for (const doubt of doubts) trust.onDoubt?.(doubt);
	const references = await saying(path, () => referencesOf(file, layer.format));
	refuseOtherParent(layer, references.contentId, wanted);
	if (file.part) refuseReferences(path, references);
	for (const extent of references.extents)
		layer.extents.push({
			...extent,
			file: extent.name === undefined ? undefined : await openExtent(path, extent.name),
		});
	// A VHDX has none but a VHDX for its parent.
	layer.isForUsAlone = references.isForUsAlone || layers.at(-2)?.format === 'vhdx';
	refuseForeign(layers);
	refuseUntrusted(layer, references, trust);
	const { dataFile, dataFileIsRaw, virtualBytes, backing } = references;
	if (dataFile !== undefined) {
		const target = referredPath(path, dataFile);
		trust.onReference?.(`the data of ${path} is read from ${target}`);
		layer.dataFile = {
			file: await openFile(target, { follow: true }),
			leastBytes: dataFileIsRaw ? virtualBytes : 0,
		};
	}
	return backing && (await beneathOf(path, backing, virtualBytes, trust));
}

async function beneathOf(
	path: string,
	backing: BackingReference,
	aboveBytes: number,
	trust: ImageTrust,
): Promise<Beneath> {
	const target = await placeOf(path, backing);
	const format = backing.format === undefined ? undefined : formatNamed(path, backing.format);
	trust.onReference?.(`beneath ${path}, ${format ?? 'an image'} is read from ${target}`);
	// What has no recorded format may be the disk of a guest, who can write a header onto it that names any file.
	const { onDoubt } = trust;
	return {
		path: target,
		format,
		trust: format === undefined ? { onDoubt } : trust,
		aboveBytes,
		wanted: backing.contentIds && { contentIds: backing.contentIds, byPath: path },
	};
}

/** A member of an archive is a disk by itself: a name in it would lead out of the archive. */
function refuseReferences(path: string, { extents, dataFile, backing }: ImageReferences): void {
	const other = dataFile ?? backing?.names[0] ?? extents[0]?.name;
	if (other === undefined && extents.length === 0) return;
	throw new RouseError('source_invalid', `${path} is only a part: the rest is in ${JSON.stringify(other ?? 'zeros')}`, {
		hint: 'unpack the archive, and import the disk from there',
	});
}

/** What was written beneath a snapshot shows through it as a disk that never was. */
function refuseOtherParent(
	{ format, file: { path } }: ImageLayer,
	contentId: string | undefined,
	wanted: Beneath['wanted'],
): void {
	if (wanted === undefined || (contentId !== undefined && wanted.contentIds.includes(contentId))) return;
	const [what, right] = [format === 'vhdx' ? 'DataWriteGuid' : 'CID', wanted.contentIds.join(' or ')];
	throw new RouseError(
		'source_invalid',
		`${path} is not what ${wanted.byPath} was made upon: its ${what} is ${contentId ?? 'not there'}, and should be ${right}; it was written since, or is another disk`,
		{ hint: 'find the one that belongs to it, or export the machine where it ran' },
	);
}

async function openExtent(ofPath: string, name: string): Promise<OpenedFile> {
	const path = join(dirname(ofPath), name);
	const file = await openFile(path, { follow: false }).catch((error: unknown) => {
		if (!(error instanceof RouseError) || error.hint !== undefined) throw error;
		throw new RouseError(error.code, error.message, {
			hint: `${ofPath} has a part of its data there: copy all parts of it beside it`,
			cause: error,
		});
	});
	if (file.found.isFile()) return file;
	await file.handle.close();
	throw new RouseError('source_invalid', `${path} is a device, and a part of a VMDK must be a file`);
}

function refuseCycle(layers: readonly ImageLayer[], { path, found }: OpenedFile): void {
	const same = layers.slice(0, -1).find(({ file }) => file.found.ino === found.ino && file.found.dev === found.dev);
	if (same) throw new RouseError('source_invalid', `${path} lies beneath itself`);
}

function refuseUntrusted(
	{ format, file: { path } }: ImageLayer,
	{ dataFile, backing }: ImageReferences,
	{ withBacking }: ImageTrust,
): void {
	const other = dataFile ?? backing?.names[0];
	if (other === undefined || withBacking) return;
	throw new RouseError('source_invalid', `${path} is only a part: the rest is in ${JSON.stringify(other)}`, {
		hint:
			format === 'qcow2'
				? 'if that is right, say so with --with-backing; each image beneath it must have its format on record (qemu-img rebase -u -F)'
				: 'if that is right, say so with --with-backing',
	});
}

/** `host_device` and `file` stand for raw in images of old tools. */
function formatNamed(path: string, qemuName: string): ImageFormat {
	if (['host_device', 'file'].includes(qemuName)) return 'raw';
	const format = nameOf(qemuName);
	if (format) return format;
	throw new RouseError('source_invalid', `${path} lies on ${JSON.stringify(qemuName)}, which is not a known format`);
}

/** What a parser says, as said of a file. */
async function saying<T>(path: string, parse: () => Promise<T>): Promise<T> {
	try {
		return await parse();
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		if (error.message.startsWith(path)) throw error;
		throw new RouseError(error.code, `${path}: ${error.message}`, { hint: error.hint, cause: error });
	}
}
