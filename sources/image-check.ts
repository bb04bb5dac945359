import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { runTool } from '../system/run-tool.ts';
import { checkVdiMap, checkVhdMap } from './block-maps.ts';
import { blockNodes, cagedFiles } from './block-nodes.ts';
import { caged } from './cage.ts';
import type { ImageLayer } from './image-layers.ts';
import { imageFormats } from './image-format.ts';
import { MissingParts, type MissingSink, shifted } from './missing-parts.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';
import { installCageTools, killedError, openingError, wordsOf } from './opening-error.ts';
import { parseQcow2Layout, qcow2LayoutBytes } from './qcow2-header.ts';
import { checkQcow2Tables } from './qcow2-tables.ts';
import { damaged, partialHint } from './reach.ts';
import { checkVhdx } from './vhdx.ts';
import { checkVmdkTables } from './vmdk-tables.ts';

/** `qemu-img check`: 0 good, 3 only space lost inside the image, 63 the format has no checks. */
const harmlessExits = new Set([0, 3, 63]);

/** A check counts the clusters of an image: two bytes each for qcow2, so this is enough for one of 32 TiB. */
const limits = { memoryBytes: 2 * 2 ** 30, cpuSeconds: 600 };
/** How far one of the images of a chain was looked at. */
export interface LookProgress {
	path: string;
	doneBytes: number;
	totalBytes: number;
}

/** Reading the tables of a large image on slow storage takes long: whoever waits sees how far it is, and ends it by the signal. */
export interface Look {
	signal: AbortSignal;
	onLook?: ((progress: LookProgress) => void) | undefined;
}

/**
 * Throws `source_invalid` when an image of the chain lacks data that its own tables point to, or its tables contradict each
 * other. QEMU 7.2 reads what lies beyond the end of a file as zeros, without an error, and its check does not look at all
 * formats, nor at the last cluster; so we look first ourselves.
 */
export async function checkWhole(layers: readonly ImageLayer[], look: Look): Promise<void> {
	for (const layer of layers) {
		if (layer.format === 'raw') continue;
		await checkInside(layer, look);
		if (layer.isForUsAlone) continue;
		// QEMU's check counts references, and those of an image whose machine was killed are not on record ("lazy refcounts").
		if (layer.format !== 'qcow2' || !(await isDirty(layer.file))) await checkTables(layer, look.signal);
	}
}

/**
 * What the top image lacks of its disk, and nothing when it is whole. Throws `source_invalid` where that cannot be told, and as
 * {@link checkWhole} of the images beneath: what they lack may show through or not.
 */
export async function findMissing(layers: readonly ImageLayer[], look: Look): Promise<MissingParts> {
	const [top, ...beneath] = layers;
	const missing = new MissingParts();
	if (top === undefined) return missing;
	await checkWhole(beneath, look);
	try {
		await checkWhole([top], look);
		return missing;
	} catch (error) {
		if (!(error instanceof RouseError && error.code === 'source_invalid')) throw error;
		if (!partsAreRead.has(top.format))
			throw new RouseError('source_invalid', error.message, {
				hint: [error.hint ?? 'copy it again, whole', '--partial is for qcow2, VMDK and VDI'].join('; '),
				cause: error,
			});
		await checkInside(top, look, missing);
		if (missing.ranges().length === 0) throw error; // it is whole, and damaged
		return missing;
	}
}

/** QEMU 7.2 opens images of these although they are cut. */
const partsAreRead: ReadonlySet<ImageLayer['format']> = new Set(['qcow2', 'vmdk', 'vdi']);

async function checkInside(layer: ImageLayer, { signal, onLook }: Look, missing?: MissingSink): Promise<void> {
	const { format, file, extents, dataFile } = layer;
	checkPlainParts(layer, missing);
	const seen = (doneBytes: number, totalBytes: number) => onLook?.({ path: file.path, doneBytes, totalBytes });
	const reading = { signal, missing, seen };
	if (format === 'qcow2') await checkQcow2Tables(file, dataFile?.file, reading);
	if (format === 'vdi') await checkVdiMap(file, reading);
	if (format === 'vhd') await checkVhdMap(file, reading);
	if (format === 'vhdx') await checkVhdx(file, reading);
	if (format !== 'vmdk') return;
	if (extents.length === 0) await checkVmdkTables(file, 0, reading);
	const totalBytes = extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
	let onDisk = 0;
	for (const { file: extent, flatAtBytes, sizeBytes } of extents) {
		const before = onDisk;
		const ofExtent = {
			signal,
			missing: shifted(missing, before),
			seen: (doneBytes: number) => seen(before + doneBytes, totalBytes),
		};
		onDisk += sizeBytes;
		if (extent === undefined || flatAtBytes !== undefined) continue;
		const heldBytes = await checkVmdkTables(extent, sizeBytes, ofExtent);
		// QEMU puts the next extent behind what this one holds, and not where the descriptor has it.
		if (heldBytes > sizeBytes && onDisk < totalBytes)
			throw damaged(extent, `it holds ${exactBytes(heldBytes)}, and its descriptor says ${exactBytes(sizeBytes)}`);
	}
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
		hint: installCageTools,
		signal,
	}).catch((error: unknown) => {
		const isKilled = error instanceof RouseError && error.code === 'tool_failed';
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
function checkPlainParts({ extents, dataFile }: ImageLayer, missing: MissingSink | undefined): void {
	let onDisk = 0;
	for (const { file, flatAtBytes, sizeBytes } of extents) {
		if (file && flatAtBytes !== undefined)
			mustHave(file, { fromBytes: flatAtBytes, lengthBytes: sizeBytes }, shifted(missing, onDisk));
		onDisk += sizeBytes;
	}
	if (dataFile) mustHave(dataFile.file, { fromBytes: 0, lengthBytes: dataFile.leastBytes }, missing);
}

function mustHave(
	{ path, found, sizeBytes }: OpenedFile,
	{ fromBytes, lengthBytes }: { fromBytes: number; lengthBytes: number },
	missing: MissingSink | undefined,
): void {
	const leastBytes = fromBytes + lengthBytes;
	if (!found.isFile() || sizeBytes >= leastBytes) return;
	const thereBytes = Math.max(0, sizeBytes - fromBytes);
	if (missing) return missing.add(thereBytes, lengthBytes - thereBytes);
	throw new RouseError(
		'source_invalid',
		`${path} is cut short: ${exactBytes(sizeBytes)} of ${exactBytes(leastBytes)} are there`,
		{
			hint: partialHint,
		},
	);
}
