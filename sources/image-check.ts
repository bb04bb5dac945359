import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { runTool } from '../system/run-tool.ts';
import { backingChain, type ImageFormat, type ImageInfo } from './image-format.ts';
import { installImageTools, openingError } from './opening-error.ts';

/** `qemu-img check`: 0 good, 3 only space lost inside the image, 63 the format has no checks. */
const harmlessExits = new Set([0, 3, 63]);

/**
 * Throws `source_invalid` when the image lacks data that its own tables point to. Needed because QEMU 7.2 reads what lies
 * beyond the end of a qcow2 or VMDK file as zeros, without an error.
 */
export async function checkWhole(path: string, format: ImageFormat, signal: AbortSignal): Promise<void> {
	if (format === 'raw') return;
	for (const image of await backingChain(path, format, signal)) {
		await checkTables(image, signal);
		await checkFlatExtents(image);
	}
}

async function checkTables({ filename, format }: ImageInfo, signal: AbortSignal): Promise<void> {
	if (format === 'raw') return;
	const answer = await runTool('qemu-img', ['check', '-f', format, filename], {
		hint: installImageTools,
		signal,
	});
	if (harmlessExits.has(answer.code)) return;
	const error = openingError(filename, answer.stderr);
	if (answer.code !== 2 || /cut short/.test(error.message)) throw error;
	throw new RouseError('source_invalid', `${filename} is damaged: ${answer.stderr.split('\n')[0]}`, {
		hint: `on a copy of it: qemu-img check -r all -f ${format} FILE`,
	});
}

/** The raw parts of a VMDK have no tables: their sizes must do. */
async function checkFlatExtents(image: ImageInfo): Promise<void> {
	for (const extent of image['format-specific']?.data.extents ?? []) {
		if (extent.format !== 'FLAT') continue;
		const path = resolve(dirname(image.filename), extent.filename);
		const found = await stat(path);
		if (!found.isFile() || found.size >= extent['virtual-size']) continue;
		throw new RouseError(
			'source_invalid',
			`${path} is cut short: ${found.size} bytes of ${extent['virtual-size']} are there`,
			{ hint: 'copy it again' },
		);
	}
}
