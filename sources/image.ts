import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import type { SourceExtent } from '../repository/import/disk-source.ts';
import { isErrno } from '../system/durable-file.ts';
import { blockDeviceFacts } from './block-device.ts';
import type { DiskFacts, OpenedDisk } from './disk-facts.ts';
import { checkWhole } from './image-check.ts';
import { formatOf, type ImageFormat } from './image-format.ts';
import { serveImage } from './qemu-nbd.ts';
import { vhdxSectors } from './vhdx.ts';

/**
 * Opens a disk image or block device. Errors: `source_invalid` when it is no such thing, cut short, damaged or of another
 * format than said; `lock_held` when a machine runs on it; `tool_missing` without qemu-utils.
 */
export async function openImage(
	text: string,
	{ format: said, signal }: { format?: ImageFormat | undefined; signal: AbortSignal },
): Promise<OpenedDisk> {
	const path = resolve(text);
	const found = await statSource(path);
	const format = await formatOf(path, said, signal);
	await checkWhole(path, format, signal);
	const facts = await factsOf(path, format, found);
	const { client, close } = await serveImage(path, format, signal);
	// qemu-nbd 7.2 rounds a raw file's size up to 512 and serves zeros behind its end; the file's own size is exact.
	const sizeBytes = format === 'raw' && found.isFile() ? found.size : client.sizeBytes;
	if (sizeBytes > client.sizeBytes) {
		await close();
		throw new RouseError('source_invalid', `${path} changed its size while it was opened`);
	}
	return {
		facts,
		sizeBytes,
		extents: until => cutAt(sizeBytes, client.extents(until)),
		read: (offsetBytes, into, until) => client.read(offsetBytes, into, until),
		close,
	};
}

async function* cutAt(sizeBytes: number, extents: AsyncIterable<SourceExtent>): AsyncGenerator<SourceExtent> {
	for await (const extent of extents) {
		const lengthBytes = Math.min(extent.lengthBytes, sizeBytes - extent.offsetBytes);
		if (lengthBytes > 0) yield { ...extent, lengthBytes };
	}
}

/** What the image says of its disk; a block device is the disk itself only where no container lies on it. */
async function factsOf(path: string, format: ImageFormat, found: Stats): Promise<DiskFacts> {
	const kind = found.isBlockDevice() ? 'block-device' : 'image';
	const origin = { kind, detail: `${format} ${basename(path)}` };
	if (format === 'vhdx') return { origin, serial: null, sectors: await vhdxSectors(path) };
	if (format === 'raw' && found.isBlockDevice()) return { origin, ...(await blockDeviceFacts(found.rdev)) };
	return { origin, serial: null };
}

async function statSource(path: string): Promise<Stats> {
	let found: Stats;
	try {
		found = await stat(path);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
		throw new RouseError('source_invalid', `there is no ${path}`, { cause: error });
	}
	if (found.isBlockDevice()) return found; // its size is 0 here; the server knows it
	if (!found.isFile()) throw new RouseError('source_invalid', `${path} is neither a file nor a block device`);
	if (found.size === 0) throw new RouseError('source_invalid', `${path} is empty`);
	return found;
}
