import { open } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { runTool } from '../system/run-tool.ts';
import { installImageTools, openingError } from './opening-error.ts';

/** Names as people write them, and QEMU's. */
export const imageFormats = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vhdx: 'vhdx', vhd: 'vpc', vdi: 'vdi' } as const;
export type ImageFormat = keyof typeof imageFormats;

/** What `qemu-img info --output json` says, as far as it matters here. */
const imageInfoSchema = z.looseObject({
	filename: z.string(),
	format: z.string(),
	'backing-filename': z.string().optional(),
	'format-specific': z
		.looseObject({
			data: z.looseObject({
				'data-file': z.string().optional(),
				extents: z
					.array(z.looseObject({ filename: z.string(), format: z.string(), 'virtual-size': z.int() }))
					.optional(),
			}),
		})
		.optional(),
});
export type ImageInfo = z.infer<typeof imageInfoSchema>;

/** A file name that ends like this promises a container; what is none then has lost its end, or has a wrong name. */
const promisedBy: Readonly<Record<string, ImageFormat>> = {
	'.qcow2': 'qcow2',
	'.vmdk': 'vmdk',
	'.vhdx': 'vhdx',
	'.vhd': 'vhd',
	'.vdi': 'vdi',
};

/**
 * The format of the image at `path` (absolute). `said` is what the person said; without it the content decides.
 *
 * Content alone never makes us open another file: a guest can write the header of an image onto its raw disk, naming any
 * file of this host as what lies beneath. Who means that says the format.
 */
export async function formatOf(path: string, said: ImageFormat | undefined, signal: AbortSignal): Promise<ImageFormat> {
	const info = await imageInfo(path, undefined, signal);
	const found = (await isFixedVhd(path, info.format)) ? 'vhd' : nameOf(info.format);
	if (said !== undefined) return agreed(path, said, found);
	if (found === undefined)
		throw new RouseError(
			'source_invalid',
			`${path} looks like "${info.format}", which is not among the known formats`,
			{
				hint: `accepted: ${Object.keys(imageFormats).join(', ')}; say --format raw if it is the disk itself`,
			},
		);
	const promised = promisedBy[extname(path).toLowerCase()];
	if (found === 'raw' && promised !== undefined && !/-flat\.vmdk$/i.test(path))
		throw new RouseError(
			'source_invalid',
			`${path} is called ${extname(path)} but is no ${promised} image, or is cut short`,
			{
				hint: 'copy it again; say --format raw if it is the disk itself',
			},
		);
	refuseOtherFiles(path, info);
	return found;
}

function agreed(path: string, said: ImageFormat, found: ImageFormat | undefined): ImageFormat {
	if (said === found) return said;
	// The container itself would become the disk: never what is meant, and no other tool would notice.
	if (said === 'raw' && found !== undefined)
		throw new RouseError('source_invalid', `${path} is ${found}, not raw`, {
			hint: `say --format ${found}; a disk whose content only looks like it can be served by "nbdkit file" and imported as an NBD URI`,
		});
	if (said !== 'raw' && found === 'raw')
		throw new RouseError('source_invalid', `${path} is no ${said} image`, { hint: 'without --format it is detected' });
	if (said !== 'raw' && found !== undefined)
		throw new RouseError('source_invalid', `${path} is ${found}, not ${said}`, { hint: `say --format ${found}` });
	return said;
}

export async function imageInfo(
	path: string,
	format: ImageFormat | undefined,
	signal: AbortSignal,
): Promise<ImageInfo> {
	const [info] = await chainInfo(path, format, [], signal);
	if (info === undefined) throw new RouseError('source_invalid', `${path}: qemu-img says nothing of it`);
	return info;
}

/** The image and everything beneath it. */
export async function backingChain(path: string, format: ImageFormat, signal: AbortSignal): Promise<ImageInfo[]> {
	return await chainInfo(path, format, ['--backing-chain'], signal);
}

async function chainInfo(
	path: string,
	format: ImageFormat | undefined,
	more: readonly string[],
	signal: AbortSignal,
): Promise<ImageInfo[]> {
	const formatArguments = format === undefined ? [] : ['-f', imageFormats[format]];
	// -U: a running machine holds the image's lock; that is for the opening to say.
	const args = ['info', '-U', '--output', 'json', ...more, ...formatArguments, path];
	const answer = await runTool('qemu-img', args, { hint: installImageTools, signal });
	if (answer.code !== 0) throw openingError(path, answer.stderr);
	const document: unknown = JSON.parse(answer.stdout);
	return z.array(imageInfoSchema).parse(Array.isArray(document) ? document : [document]);
}

function nameOf(qemuName: string): ImageFormat | undefined {
	for (const [name, value] of Object.entries(imageFormats)) if (value === qemuName) return name as ImageFormat; // its key
	return undefined;
}

/** A fixed VHD is the raw disk with a footer, so QEMU takes it for raw (VHD specification, "Hard Disk Footer Format"). */
async function isFixedVhd(path: string, format: string): Promise<boolean> {
	if (format !== 'raw') return false;
	const file = await open(path, 'r');
	try {
		const { size } = await file.stat();
		if (size < 512) return false;
		const { bytesRead, buffer } = await file.read(Buffer.alloc(8), 0, 8, size - 512);
		return bytesRead === 8 && buffer.toString('latin1') === 'conectix';
	} finally {
		await file.close();
	}
}

function refuseOtherFiles(path: string, info: ImageInfo): void {
	const data = info['format-specific']?.data;
	const beneath = info['backing-filename'] ?? data?.['data-file'];
	const directory = dirname(path);
	const far = data?.extents?.find(extent => dirname(resolve(directory, extent.filename)) !== directory)?.filename;
	const other = beneath ?? far;
	if (other === undefined) return;
	throw new RouseError('source_invalid', `${path} is only a part: the rest is in "${other}"`, {
		hint: `if that is right, say so with --format ${nameOf(info.format) ?? info.format}`,
	});
}
