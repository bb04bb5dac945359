import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import { isErrno, publishDurably, replaceFileDurably, temporaryPath, temporarySuffix } from '../system/durable-file.ts';
import { readIfThere } from '../system/if-there.ts';
import { namesIn } from '../system/names-in.ts';
import {
	type VolumeDescription,
	volumeDescriptionSchema,
	type VolumeRequest,
	volumeRequestSchema,
} from './description.ts';
import { checkVolumeFits } from './fits.ts';
import { volumeGeometry } from './geometry.ts';
import { makeImage } from './make-image.ts';

const imageName = 'volume.ntfs';

/** In the directory of a machine. */
export function volumePaths(directory: string): { image: string; description: string } {
	return { image: join(directory, imageName), description: join(directory, 'volume.json') };
}

/**
 * The volume of a machine: made, if it was not yet. Its image comes first and its description after it, which thus is the
 * record that the image is whole; an image without one is what an interrupted attempt left, and made anew. From then on
 * the image is its host's: it is not touched again.
 *
 * Throws `precheck_failed` when the file system has no files so large, `tool_missing` without ntfs-3g, `identity_conflict` when
 * another volume is there, `format_damaged` when what was made there or by ntfs-3g is not as it must be, `space_short`.
 */
export async function ensureVolume(
	directory: string,
	request: VolumeRequest,
	options: { signal?: AbortSignal | undefined } = {},
): Promise<VolumeDescription> {
	const wanted = checked(request);
	const paths = volumePaths(directory);
	const made = await readVolume(directory);
	if (made !== undefined) {
		if (!isDeepStrictEqual(requestOf(made), wanted))
			throw new RouseError('identity_conflict', `${paths.description} describes another volume than the machine's`);
		return made;
	}
	await removeHalfMade(directory);
	await checkVolumeFits(directory, wanted);
	const temporary = temporaryPath(paths.image);
	try {
		const files = await makeImage(temporary, wanted, options);
		if (!(await publishDurably(temporary, paths.image)))
			throw new RouseError('identity_conflict', `${paths.image} was made by somebody else meanwhile`);
		const { sizeBytes, partition } = volumeGeometry(wanted);
		const { diskGuid, partitionGuid } = wanted;
		const description: VolumeDescription = { version: 0, diskGuid, partitionGuid, sizeBytes, partition, files };
		await replaceFileDurably(paths.description, `${JSON.stringify(volumeDescriptionSchema.parse(description))}\n`);
		return description;
	} finally {
		await rm(temporary, { force: true });
	}
}

/** The volume that was made in this directory; undefined when none was. Throws `format_damaged`. */
export async function readVolume(directory: string): Promise<VolumeDescription | undefined> {
	const paths = volumePaths(directory);
	const text = await readIfThere(paths.description);
	if (text === undefined) return undefined;
	const description = parseDescription(paths.description, text);
	const { imageBytes } = volumeGeometry(description);
	const size = await sizeIfThere(paths.image);
	if (size !== imageBytes)
		throw new RouseError(
			'format_damaged',
			`${paths.image} ${size === undefined ? 'is not there' : `has ${size} bytes`}, and had ${imageBytes} when it was made`,
			{ hint: `remove ${paths.description}: then the volume is made anew` },
		);
	return description;
}

function checked(request: VolumeRequest): VolumeRequest {
	const result = volumeRequestSchema.safeParse(request);
	if (result.success) return result.data;
	throw new RouseError('input_invalid', `no volume can be made: ${refusalText(result.error)}`);
}

function parseDescription(path: string, text: string): VolumeDescription {
	let document: unknown;
	try {
		document = JSON.parse(text);
	} catch (cause) {
		throw new RouseError('format_damaged', `${path} is no JSON`, { cause });
	}
	const result = volumeDescriptionSchema.safeParse(document);
	if (result.success) return result.data;
	throw new RouseError('format_damaged', `${path}: ${refusalText(result.error)}`);
}

function requestOf({ diskGuid, partitionGuid, files }: VolumeDescription): VolumeRequest {
	return { diskGuid, partitionGuid, files: files.map(({ name, sizeBytes }) => ({ name, sizeBytes })) };
}

/** The image, and every temporary file of this folder, whose names all begin alike. */
async function removeHalfMade(directory: string): Promise<void> {
	for (const name of await namesIn(directory))
		if (name === imageName || (name.startsWith('volume') && name.endsWith(temporarySuffix)))
			await rm(join(directory, name), { force: true });
}

async function sizeIfThere(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}
