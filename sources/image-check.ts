import { RouseError } from '../model/errors.ts';
import { runTool } from '../system/run-tool.ts';
import { checkVdiMap, checkVhdMap, checkVhdxMap } from './block-maps.ts';
import { blockNodes, cagedFiles } from './block-nodes.ts';
import { caged } from './cage.ts';
import type { ImageLayer } from './image-layers.ts';
import { imageFormats } from './image-format.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';
import { installCageTools, killedError, openingError, wordsOf } from './opening-error.ts';
import { parseQcow2Layout, qcow2LayoutBytes } from './qcow2-header.ts';
import { checkQcow2Tables } from './qcow2-tables.ts';
import { checkVmdkTables } from './vmdk-tables.ts';

/** `qemu-img check`: 0 good, 3 only space lost inside the image, 63 the format has no checks. */
const harmlessExits = new Set([0, 3, 63]);

/** A check counts the clusters of an image: two bytes each for qcow2, so this is enough for one of 32 TiB. */
const limits = { memoryBytes: 2 * 2 ** 30, cpuSeconds: 600 };
/** It reads the tables of the image, from a slow disk or over a network. */
const wholeMs = 3_600_000;

/**
 * Throws `source_invalid` when an image of the chain lacks data that its own tables point to, or its tables contradict each
 * other. QEMU 7.2 reads what lies beyond the end of a file as zeros, without an error, and its check does not look at all
 * formats, nor at the last cluster; so we look first ourselves.
 */
export async function checkWhole(layers: readonly ImageLayer[], signal: AbortSignal): Promise<void> {
	for (const layer of layers) {
		if (layer.format === 'raw') continue;
		checkPlainParts(layer);
		await checkInside(layer, signal);
		// QEMU's check counts references, and those of an image whose machine was killed are not on record ("lazy refcounts").
		if (layer.format !== 'qcow2' || !(await isDirty(layer.file))) await checkTables(layer, signal);
	}
}

async function checkInside({ format, file, extents, dataFile }: ImageLayer, signal: AbortSignal): Promise<void> {
	if (format === 'qcow2') await checkQcow2Tables(file, dataFile?.file, signal);
	if (format === 'vdi') await checkVdiMap(file, signal);
	if (format === 'vhd') await checkVhdMap(file, signal);
	if (format === 'vhdx') await checkVhdxMap(file, signal);
	if (format !== 'vmdk') return;
	if (extents.length === 0) await checkVmdkTables(file, 0, signal);
	for (const { file: extent, flatAtBytes, sizeBytes } of extents)
		if (flatAtBytes === undefined) await checkVmdkTables(extent, sizeBytes, signal);
}

async function isDirty(file: OpenedFile): Promise<boolean> {
	return parseQcow2Layout(await bytesAt(file, 0, qcow2LayoutBytes)).isDirty;
}

async function checkTables(layer: ImageLayer, signal: AbortSignal): Promise<void> {
	const { path } = layer.file;
	const files = cagedFiles([layer]);
	const { program, ...command } = caged('qemu-img', ['check', blockNodes([layer])], { files, limits });
	const answer = await runTool(program, command.args, {
		...command,
		cwd: '/',
		wholeMs,
		hint: installCageTools,
		signal,
	}).catch((error: unknown) => {
		const isKilled = error instanceof RouseError && ['tool_failed', 'timeout'].includes(error.code);
		throw isKilled ? killedError(path, error.message, error) : error;
	});
	if (harmlessExits.has(answer.code)) return;
	const error = openingError(path, answer.stderr, files);
	if (answer.code !== 2 || /cut short/.test(error.message)) throw error;
	throw new RouseError('source_invalid', `${path} is damaged: ${wordsOf(path, answer.stderr, files)}`, {
		hint: `on a copy of it: qemu-img check -r all -f ${imageFormats[layer.format]} FILE`,
	});
}

/** What holds the disk's bytes as they are has no tables: its size must do. */
function checkPlainParts({ extents, dataFile }: ImageLayer): void {
	const plain = extents.flatMap(({ file, flatAtBytes, sizeBytes }) =>
		flatAtBytes === undefined ? [] : [{ file, leastBytes: flatAtBytes + sizeBytes }],
	);
	for (const { file, leastBytes } of dataFile ? [...plain, dataFile] : plain) {
		const { size } = file.found;
		if (!file.found.isFile() || size >= leastBytes) continue;
		throw new RouseError('source_invalid', `${file.path} is cut short: ${size} bytes of ${leastBytes} are there`, {
			hint: 'copy it again',
		});
	}
}
