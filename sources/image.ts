import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import type { DiskSource, SourceExtent } from '../repository/import/disk-source.ts';
import { isErrno } from '../system/durable-file.ts';
import { checkWhole } from './image-check.ts';
import { formatOf, type ImageFormat } from './image-format.ts';
import { serveImage } from './qemu-nbd.ts';

/**
 * Opens a disk image or block device. Errors: `source_invalid` when it is no such thing, cut short, damaged or of another
 * format than said; `lock_held` when a machine runs on it; `tool_missing` without qemu-utils.
 */
export async function openImage(
	text: string,
	{ format: said, signal }: { format?: ImageFormat | undefined; signal: AbortSignal },
): Promise<DiskSource> {
	const path = resolve(text);
	const fileBytes = await sizeOfFile(path);
	const format = await formatOf(path, said, signal);
	await checkWhole(path, format, signal);
	const { client, close } = await serveImage(path, format, signal);
	// qemu-nbd 7.2 rounds a raw file's size up to 512 and serves zeros behind its end; the file's own size is exact.
	const sizeBytes = format === 'raw' && fileBytes !== undefined ? fileBytes : client.sizeBytes;
	if (sizeBytes > client.sizeBytes) {
		await close();
		throw new RouseError('source_invalid', `${path} changed its size while it was opened`);
	}
	return {
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

/** Undefined for a block device, whose size the server knows. */
async function sizeOfFile(path: string): Promise<number | undefined> {
	let found: Awaited<ReturnType<typeof stat>>;
	try {
		found = await stat(path);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
		throw new RouseError('source_invalid', `there is no ${path}`, { cause: error });
	}
	if (found.isBlockDevice()) return undefined;
	if (!found.isFile()) throw new RouseError('source_invalid', `${path} is neither a file nor a block device`);
	if (found.size === 0) throw new RouseError('source_invalid', `${path} is empty`);
	return found.size;
}
