import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { FileExtent, VolumeDescription, VolumeRequest } from './description.ts';
import { inImage, type VolumeGeometry, volumeGeometry } from './geometry.ts';
import { gpt } from './gpt.ts';
import { addFile, makeNtfs, type NtfsToolOptions } from './ntfs-tools.ts';
import { damaged } from './ntfs/damaged.ts';
import { Mft } from './ntfs/mft.ts';
import { extentsOf, initializedPatch, isInitialized } from './ntfs/whole-file.ts';

/**
 * Makes a volume's image at a path that is free, and says where its files' bytes are to lie. Flushed when it returns, without
 * its name. The image is sparse: some 70 MiB of it are written for a volume of 2 TiB, none of them in files.
 */
export async function makeImage(
	path: string,
	request: VolumeRequest,
	options: NtfsToolOptions,
): Promise<VolumeDescription['files']> {
	const geometry = volumeGeometry(request);
	await using file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
	await file.truncate(geometry.partition.sizeBytes);
	await makeNtfs(path, options);
	for (const each of request.files) await addFile(path, each, options);
	await initializeFiles(file, geometry, request);
	await file.truncate(geometry.imageBytes);
	await writePartitionTable(file, geometry, request);
	await file.sync();
	return await describeFiles(file, geometry, request);
}

async function initializeFiles(file: FileHandle, geometry: VolumeGeometry, request: VolumeRequest): Promise<void> {
	const mft = await readMft(file, geometry);
	for (const { name } of request.files) {
		const { atBytes, bytes } = initializedPatch(mft.file(name));
		await writeAt(file, bytes, atBytes);
	}
}

async function writePartitionTable(
	file: FileHandle,
	geometry: VolumeGeometry,
	{ diskGuid, partitionGuid }: VolumeRequest,
): Promise<void> {
	const { sizeBytes, partition } = geometry;
	const { head, tail } = gpt({ sizeBytes, diskGuid, partition: { ...partition, guid: partitionGuid, name: 'Rouse' } });
	await writeAt(file, head, inImage(geometry, 0));
	await writeAt(file, tail, inImage(geometry, sizeBytes - tail.length));
}

/** As it was written: read again, and compared with what was asked for. */
async function describeFiles(
	file: FileHandle,
	geometry: VolumeGeometry,
	request: VolumeRequest,
): Promise<VolumeDescription['files']> {
	const mft = await readMft(file, geometry);
	return request.files.map(({ name, sizeBytes }) => {
		const extents: FileExtent[] = extentsOf(mft, name, sizeBytes);
		if (!isInitialized(mft, name)) throw damaged(`${name} reads zero, whatever is in its clusters`);
		return { name, sizeBytes, extents };
	});
}

async function readMft(file: FileHandle, { partition }: VolumeGeometry): Promise<Mft> {
	return await Mft.read(async (offsetBytes, lengthBytes) => {
		const bytes = Buffer.alloc(lengthBytes);
		for (let done = 0; done < lengthBytes; ) {
			const { bytesRead } = await file.read(bytes, done, lengthBytes - done, offsetBytes + done);
			if (bytesRead === 0) throw damaged(`it ends at ${offsetBytes + done}`);
			done += bytesRead;
		}
		return bytes;
	}, partition.sizeBytes);
}

async function writeAt(file: FileHandle, bytes: Buffer, offsetBytes: number): Promise<void> {
	for (let done = 0; done < bytes.length; )
		done += (await file.write(bytes, done, bytes.length - done, offsetBytes + done)).bytesWritten;
}
