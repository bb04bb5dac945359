import { basename } from 'node:path';
import { type CagedFile, inCage } from './cage.ts';
import { imageFormats } from './image-format.ts';
import { filesOf, type ImageLayer } from './image-layers.ts';
import type { OpenedFile } from './opened-file.ts';

const sectorBytes = 512;

/**
 * Where the files of a chain are in their cage: those of each image in a directory of their own, by their own names, since
 * a VMDK finds its extents beside itself.
 */
export function cagedFiles(layers: readonly ImageLayer[]): CagedFile[] {
	return layers.flatMap((layer, index) => {
		const files = filesOf(layer);
		// A descriptor may name one extent twice, at different offsets of it; and the data file may be called like its image.
		const named = files.map(file => ({ file, name: nameOf(layer, index, file) }));
		return named.filter(({ name }, at) => named.findIndex(other => other.name === name) === at);
	});
}

/**
 * The disk of the first layer, as QEMU's tools take it in place of a file's name: with all that lies beneath it said, and
 * nothing left to be found in the images. https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html (BlockdevOptions)
 */
export function blockNodes(layers: readonly ImageLayer[]): string {
	const [top, ...beneath] = layers;
	if (top?.format !== 'raw' || beneath.length > 0) return `json:${JSON.stringify(nodeOf(layers, 0))}`;
	// QEMU lets anybody read a raw image that a machine writes, and the copy would be of no moment that ever was. blkdebug,
	// which passes everything on, takes the same lock for it that the formats with tables take for themselves.
	const node = { driver: 'blkdebug', 'unshare-child-perms': ['write'], image: protocolNode(top, 0, top.file) };
	return `json:${JSON.stringify(node)}`;
}

function nodeOf(layers: readonly ImageLayer[], index: number): object | null {
	const layer = layers[index];
	if (layer === undefined) return null;
	const { format, file, dataFile } = layer;
	return {
		driver: imageFormats[format],
		// Else QEMU goes by the geometry unless it knows the creator, and the end of other creators' disks is cut off: block/vpc.c
		...(format === 'vhd' ? { force_size_calc: 'current_size' } : {}),
		file: protocolNode(layer, index, file),
		...(dataFile ? { 'data-file': protocolNode(layer, index, dataFile.file) } : {}),
		...(format === 'raw' ? {} : { backing: nodeOf(layers, index + 1) }),
	};
}

function protocolNode(layer: ImageLayer, index: number, file: OpenedFile): object {
	const driver = file.found.isBlockDevice() ? 'host_device' : 'file';
	const whole = { driver, filename: inCage(nameOf(layer, index, file)) };
	if (file.part === undefined) return whole;
	// QEMU wants a whole number of sectors, and archives fill up what they hold to one.
	const size = Math.ceil(file.sizeBytes / sectorBytes) * sectorBytes;
	return { driver: 'raw', offset: file.part.atBytes, size, file: whole };
}

function nameOf({ dataFile }: ImageLayer, index: number, file: OpenedFile): string {
	return `${index}${file === dataFile?.file ? 'd' : ''}/${basename(file.path)}`;
}
