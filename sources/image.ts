import { basename, resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import type { SourceExtent } from '../repository/import/disk-source.ts';
import { blockDeviceFacts } from './block-device.ts';
import type { DiskFacts, OpenedDisk } from './disk-facts.ts';
import { openFlatExtents } from './flat-extents.ts';
import { checkWhole, findMissing, type Look } from './image-check.ts';
import { closeLayers, filesOf, type ImageLayer, type ImageTrust, openLayers } from './image-layers.ts';
import { type MissingParts, piecesOf, withoutMissing } from './missing-parts.ts';
import { momentOf } from './moment.ts';
import { checkUnchanged, fillFrom, type OpenedFile } from './opened-file.ts';
import { serveImage } from './qemu-nbd.ts';
import { extentsOf, readOf } from './reading-error.ts';
import { vhdxSectors } from './vhdx.ts';
import { vhdxContent } from './vhdx-content.ts';

/**
 * Opens a disk image or block device, by its path or as it was opened: then it is closed with the disk, or when this fails.
 * QEMU's tools look at it in a cage (cage.ts), in which nothing exists but the files
 * that were opened here. Errors: `source_invalid` when it is no such thing, cut short, damaged, of another format than said,
 * or refers to files that are not trusted; `lock_held` when a machine runs on it; `tool_missing` without qemu-utils;
 * `precheck_failed` where no cage can be made.
 */
export async function openImage(
	image: string | OpenedFile,
	{ signal, onLook, ...trust }: ImageTrust & Look,
): Promise<OpenedDisk> {
	const layers = await openLayers(typeof image === 'string' ? resolve(image) : image, trust);
	try {
		const look = { signal, onLook };
		const missing = trust.partial ? await findMissing(layers, look) : undefined;
		if (!trust.partial) await checkWhole(layers, look);
		const disk = lacking(await openDisk(layers, signal), missing);
		let closed: Promise<void> | undefined;
		const close = async () => {
			await disk.close();
			await (closed ??= closeLayers(layers));
		};
		return { ...disk, close };
	} catch (error) {
		await closeLayers(layers);
		throw error;
	}
}

async function openDisk(layers: readonly ImageLayer[], signal: AbortSignal): Promise<OpenedDisk> {
	const [top] = layers;
	if (top === undefined) throw new Error('a chain has an image');
	const facts = await factsOf(top);
	const content = await contentOf(top, layers, signal);
	const checkAllUnchanged = async () => {
		for (const file of layers.flatMap(filesOf)) await checkUnchanged(file);
	};
	return { facts, ...content, checkUnchanged: checkAllUnchanged, moment: momentOf(layers) };
}

type Content = Pick<OpenedDisk, 'sizeBytes' | 'extents' | 'read' | 'close'>;

async function contentOf(top: ImageLayer, layers: readonly ImageLayer[], signal: AbortSignal): Promise<Content> {
	const close = async () => {};
	if (!top.isForUsAlone) return await servedContent(top, layers, signal);
	const content =
		top.format === 'vhdx'
			? await vhdxContent(
					layers.map(({ file }) => file),
					signal,
				)
			: openFlatExtents(top.extents);
	return { ...content, close };
}

async function servedContent(top: ImageLayer, layers: readonly ImageLayer[], signal: AbortSignal): Promise<Content> {
	// QEMU takes all of a VHDX for data; its tables say more.
	const tables = top.format === 'vhdx' ? await vhdxContent([top.file], signal) : undefined;
	const served = await serveImage(layers, signal);
	const { client, close } = served;
	const { path } = top.file;
	const sizeBytes = saidBytes(top) ?? client.sizeBytes;
	if (sizeBytes > client.sizeBytes) {
		await close();
		throw new RouseError('source_invalid', `${path} changed its size while it was opened`);
	}
	return {
		sizeBytes,
		extents: until => cutAt(sizeBytes, tables?.extents(until) ?? extentsOf(served, path, until)),
		read: async (offsetBytes, into, until) => {
			const isFilled = top.format === 'raw' && (await isFilledFrom(top.file, offsetBytes, into, until));
			// Asked for last: without its lock a machine may write the disk while it is read, which of a block device nothing else tells.
			if (isFilled && !served.hasEnded()) return;
			await readOf(served, path, { offsetBytes, into }, until);
		},
		close,
	};
}

/**
 * The bytes of a raw image are the disk's, and take no way through QEMU, which keeps its lock and tells of its holes. False when
 * they cannot be had, be it only here: QEMU's answer is the one to tell.
 */
async function isFilledFrom(file: OpenedFile, at: number, into: Buffer, signal: AbortSignal): Promise<boolean> {
	try {
		return (await fillFrom(file, at, into, signal)) === into.length;
	} catch {
		signal.throwIfAborted();
		return false;
	}
}

/**
 * The size of the disk where QEMU makes it larger: qemu-nbd 7.2 rounds a raw file's size up to 512 and serves zeros behind its
 * end, and a VMDK has the grains of its last extent whole.
 */
function saidBytes({ format, file, extents }: ImageLayer): number | undefined {
	if (format === 'raw' && file.found.isFile()) return file.sizeBytes;
	if (extents.length === 0) return undefined;
	return extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What is missing is never read: QEMU makes zeros or an error of it, depending on the format. */
function lacking(disk: OpenedDisk, parts: MissingParts | undefined): OpenedDisk {
	const missing = parts?.ranges(disk.sizeBytes) ?? [];
	const [first] = missing;
	if (first === undefined) return disk;
	const lengthBytes = missing.reduce((sum, range) => sum + range.lengthBytes, 0);
	return {
		...disk,
		missing: { atBytes: first.atBytes, lengthBytes },
		extents: signal => withoutMissing(disk.extents(signal), missing),
		read: async (offsetBytes, into, signal) => {
			for (const piece of piecesOf({ atBytes: offsetBytes, lengthBytes: into.length }, missing)) {
				const part = into.subarray(piece.atBytes - offsetBytes, piece.atBytes - offsetBytes + piece.lengthBytes);
				if (piece.isMissing) part.fill(0);
				else await disk.read(piece.atBytes, part, signal);
			}
		},
	};
}

async function* cutAt(sizeBytes: number, extents: AsyncIterable<SourceExtent>): AsyncGenerator<SourceExtent> {
	for await (const extent of extents) {
		const lengthBytes = Math.min(extent.lengthBytes, sizeBytes - extent.offsetBytes);
		if (lengthBytes > 0) yield { ...extent, lengthBytes };
	}
}

/** What the image says of its disk; a block device is the disk itself only where no container lies on it. */
async function factsOf({ format, file }: ImageLayer): Promise<DiskFacts> {
	const { path, found } = file;
	const kind = found.isBlockDevice() ? 'block-device' : 'image';
	const origin = { kind, detail: `${format} ${basename(path)}` };
	if (format === 'vhdx') return { origin, serial: null, sectors: await vhdxSectors(file) };
	if (format === 'raw' && found.isBlockDevice()) return { origin, ...(await blockDeviceFacts(found.rdev)) };
	return { origin, serial: null };
}
