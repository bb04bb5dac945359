import { join, dirname } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { formatOf, type ImageFormat, nameOf } from './image-format.ts';
import { type ImageReferences, referencesOf } from './image-references.ts';
import { bytesAt, type OpenedFile, openFile, referredPath } from './opened-file.ts';
import type { VmdkExtent } from './vmdk-descriptor.ts';

export interface ImageExtent extends VmdkExtent {
	file: OpenedFile;
}

/** One image of a chain, with the files that its disk's data is in. */
export interface ImageLayer {
	format: ImageFormat;
	file: OpenedFile;
	extents: ImageExtent[];
	dataFile: { file: OpenedFile; leastBytes: number } | undefined;
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
 * Opens an image and, when they are trusted, the images beneath it: top first. Extents of a VMDK are its own and need no
 * trust. Throws `source_invalid`; nothing is left open then.
 */
export async function openLayers(path: string, trust: ImageTrust): Promise<ImageLayer[]> {
	const layers: ImageLayer[] = [];
	try {
		let beneath: Beneath | undefined = { path, format: trust.format, trust };
		while (beneath !== undefined) {
			if (layers.length === maxLayers)
				throw new RouseError('source_invalid', `${path} is the top of more than ${maxLayers} images`);
			beneath = await openLayer(layers, beneath);
		}
		return layers;
	} catch (error) {
		await closeLayers(layers);
		throw error;
	}
}

export async function closeLayers(layers: readonly ImageLayer[]): Promise<void> {
	await Promise.all(layers.flatMap(filesOf).map(file => file.handle.close()));
}

export function filesOf({ file, extents, dataFile }: ImageLayer): OpenedFile[] {
	return [file, ...extents.map(extent => extent.file), ...(dataFile ? [dataFile.file] : [])];
}

interface Beneath {
	path: string;
	format: ImageFormat | undefined;
	trust: ImageTrust;
	/** Of the disk that lies on it, where that is known. */
	aboveBytes?: number;
}

/** Adds a layer as soon as it has a file to close, and tells what is beneath it. */
async function openLayer(
	layers: ImageLayer[],
	{ path, format: said, trust, aboveBytes = 0 }: Beneath,
): Promise<Beneath | undefined> {
	const file = await openFile(path, { follow: true });
	const layer: ImageLayer = { format: 'raw', file, extents: [], dataFile: undefined };
	layers.push(layer);
	refuseCycle(layers, file);
	layer.format = await formatOf(file, said);
	// What has no tables cannot be told from a smaller disk that was made larger in the image above it.
	if (layer.format === 'raw' && file.found.isFile() && file.found.size < aboveBytes)
		trust.onDoubt?.(
			`${path} has ${exactBytes(file.found.size)}, and the disk on it ${exactBytes(aboveBytes)}: behind its end there are zeros. Is it cut short?`,
		);
	if (said === undefined && layer.format === 'raw') await doubtOdd(file, trust);
	const references = await saying(path, () => referencesOf(file, layer.format));
	for (const extent of references.extents) {
		const beside = join(dirname(path), extent.name);
		layer.extents.push({ ...extent, file: await openExtent(beside) });
	}
	refuseUntrusted(path, references, trust);
	const { dataFile, dataFileIsRaw, virtualBytes, backing } = references;
	if (dataFile !== undefined) {
		const target = referredPath(path, dataFile);
		trust.onReference?.(`the data of ${path} is read from ${target}`);
		layer.dataFile = {
			file: await openFile(target, { follow: true }),
			leastBytes: dataFileIsRaw ? virtualBytes : 0,
		};
	}
	if (backing === undefined) return undefined;
	const target = referredPath(path, backing.name);
	const format = backing.format === undefined ? undefined : formatNamed(path, backing.format);
	trust.onReference?.(`beneath ${path}, ${format ?? 'an image'} is read from ${target}`);
	// What has no recorded format may be the disk of a guest, who can write a header onto it that names any file.
	const { onDoubt } = trust;
	return { path: target, format, trust: format === undefined ? { onDoubt } : trust, aboveBytes: virtualBytes };
}

/** How what may be a disk begins, and the doubt: "LUKS1 On-Disk Format"; ECMA-119, section 8.4. */
const odd: readonly [atBytes: number, bytes: string, doubt: string][] = [
	[
		0,
		'LUKS\xba\xbe',
		'begins with a LUKS header, and is stored encrypted, as it is: right if its guest opens it; what QEMU encrypted must be decrypted first',
	],
	[32_769, 'CD001', 'is the image of an optical disc (ISO 9660): is it to be a disk of the machine?'],
];

async function doubtOdd(file: OpenedFile, { onDoubt }: ImageTrust): Promise<void> {
	if (onDoubt === undefined) return;
	for (const [atBytes, bytes, doubt] of odd)
		if ((await bytesAt(file, atBytes, bytes.length)).toString('latin1') === bytes) onDoubt(`${file.path} ${doubt}`);
}

async function openExtent(path: string): Promise<OpenedFile> {
	const file = await openFile(path, { follow: false });
	if (file.found.isFile()) return file;
	await file.handle.close();
	throw new RouseError('source_invalid', `${path} is a device, and a part of a VMDK must be a file`);
}

function refuseCycle(layers: readonly ImageLayer[], { path, found }: OpenedFile): void {
	const same = layers.slice(0, -1).find(({ file }) => file.found.ino === found.ino && file.found.dev === found.dev);
	if (same) throw new RouseError('source_invalid', `${path} lies beneath itself`);
}

function refuseUntrusted(path: string, { dataFile, backing }: ImageReferences, { withBacking }: ImageTrust): void {
	const other = dataFile ?? backing?.name;
	if (other === undefined || withBacking) return;
	throw new RouseError('source_invalid', `${path} is only a part: the rest is in ${JSON.stringify(other)}`, {
		hint: 'if that is right, say so with --with-backing; each image beneath it must have its format on record (qemu-img rebase -u -F)',
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
