/** Chains of VHDXs that were written to here and there, and what their disks hold. */
import { join } from 'node:path';
import type { Random } from './seeds/random.ts';
import { type LayerMeasures, type Locator, VhdxLayer } from './vhdx-layer.ts';

const mebibyte = 2 ** 20;
const noGuid = '{00000000-0000-0000-0000-000000000000}';
const noBytes = Buffer.alloc(mebibyte);

/** What a disk of any size holds: in pieces of a MiB, where there is something. */
export class DiskModel {
	readonly #pieces = new Map<number, Buffer>();

	write(atBytes: number, bytes: Buffer): void {
		for (let done = 0; done < bytes.length; ) {
			const inPiece = (atBytes + done) % mebibyte;
			done += bytes.copy(this.#piece(Math.floor((atBytes + done) / mebibyte)), inPiece, done);
		}
	}

	clear(atBytes: number, lengthBytes: number): void {
		for (const [number, piece] of this.#pieces)
			piece.fill(0, clamped(atBytes - number * mebibyte), clamped(atBytes + lengthBytes - number * mebibyte));
	}

	/** Of the MiB with this number, as far as the disk of `sizeBytes` goes. */
	piece(number: number, sizeBytes: number): Buffer {
		return (this.#pieces.get(number) ?? noBytes).subarray(0, clamped(sizeBytes - number * mebibyte));
	}

	/** Those that were written to, and their neighbours. */
	numbers(sizeBytes: number): number[] {
		const all = new Set([...this.#pieces.keys()].flatMap(number => [number, number + 1]));
		return [...all].filter(number => number * mebibyte < sizeBytes);
	}

	/** Whether something was ever written to the largest block that it is in. */
	isTouched(atBytes: number): boolean {
		const first = Math.floor(atBytes / (2 * mebibyte)) * 2;
		return this.#pieces.has(first) || this.#pieces.has(first + 1);
	}

	isZero(atBytes: number, endBytes: number): boolean {
		for (let number = Math.floor(atBytes / mebibyte); number * mebibyte < endBytes; number++) {
			const piece = this.#pieces.get(number);
			const part = piece?.subarray(clamped(atBytes - number * mebibyte), clamped(endBytes - number * mebibyte));
			if (part && !part.equals(noBytes.subarray(0, part.length))) return false;
		}
		return true;
	}

	#piece(number: number): Buffer {
		const known = this.#pieces.get(number) ?? Buffer.alloc(mebibyte);
		this.#pieces.set(number, known);
		return known;
	}
}

function clamped(inPiece: number): number {
	return Math.max(0, Math.min(mebibyte, inPiece));
}

/** Places that are written to: a few MiB at the beginning, at the end of the first chunk, and at the end. */
function placeIn(random: Random, { sizeBytes, sectorBytes }: LayerMeasures): number {
	const around = random.pick([0, 2 ** 23 * sectorBytes - 2 * mebibyte, sizeBytes - 4 * mebibyte]);
	const atBytes = around + random.below((5 * mebibyte) / sectorBytes) * sectorBytes;
	return Math.max(0, Math.min(atBytes, sizeBytes - sectorBytes));
}

function writeAny(random: Random, layer: VhdxLayer, model: DiskModel): void {
	const { sizeBytes, blockBytes, sectorBytes } = layer.measures;
	for (let count = random.below(8); count > 0; count--) {
		const atBytes = placeIn(random, layer.measures);
		if (random.chance(0.2)) {
			const block = Math.floor(atBytes / blockBytes);
			layer.discard(block);
			model.clear(block * blockBytes, blockBytes);
			continue;
		}
		const most = random.pick([1, 20, (2 * mebibyte) / sectorBytes]);
		const sectors = Math.min(1 + random.below(most), (sizeBytes - atBytes) / sectorBytes);
		const bytes = Buffer.alloc(sectors * sectorBytes, `${random.below(2 ** 32)};`);
		layer.write(atBytes, bytes);
		model.write(atBytes, bytes);
	}
}

function plainLocator(name: string, guid: string): Locator {
	return { parent_linkage: `{${guid}}`, parent_linkage2: noGuid, relative_path: `.\\${name}` };
}

/** As different hosts and copies leave it; the file lies beside. */
function locatorOf(random: Random, name: string, guid: string): Locator {
	const paths = random.pick<Locator>([
		{ relative_path: `.\\${name}` },
		{ relative_path: `..\\..\\masters\\${name}`, absolute_win32_path: `D:\\masters\\${name}` },
		{ absolute_win32_path: `\\\\?\\D:\\gone\\${name}` },
		{ volume_path: `\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\gone\\${name}` },
	]);
	if (random.chance(0.2))
		return { parent_linkage: '{11111111-2222-3333-4444-555555555555}', parent_linkage2: `{${guid}}`, ...paths };
	return { ...paths, parent_linkage2: noGuid, parent_linkage: `{${guid}}` };
}

/** The size of a disk that was made larger or smaller at a checkpoint, or not. */
function resized(random: Random, { sizeBytes, sectorBytes }: LayerMeasures): number {
	if (random.chance(0.6)) return sizeBytes;
	const bySectors = random.below((3 * mebibyte) / sectorBytes) * random.pick([1, -1]);
	return Math.max(sectorBytes, sizeBytes + bySectors * sectorBytes);
}

export interface ChainShape extends Omit<LayerMeasures, 'blockBytes'> {
	/** The disk keeps its size, and each names its parent by the usual path and GUID: what others read as well. */
	isPlain: boolean;
}

export function anyShape(random: Random): ChainShape {
	const sectorBytes = random.pick([512, 512, 4096] as const);
	const small = (1 + random.below((7 * mebibyte) / sectorBytes)) * sectorBytes;
	// Of two chunks, each with a sector bitmap; with sectors of 4096 bytes that would take long.
	const sizeBytes = sectorBytes === 512 && random.chance(0.3) ? 2 ** 32 + small : small;
	return { sizeBytes, sectorBytes, isPlain: false };
}

/** Up to four files in a directory that is there; `path` is that of the last. */
export async function randomChain(
	random: Random,
	directory: string,
	{ sizeBytes, sectorBytes, isPlain }: ChainShape,
): Promise<{ path: string; sizeBytes: number; model: DiskModel }> {
	const model = new DiskModel();
	const blockBytes = () => random.pick([1, 2]) * mebibyte;
	let layer = new VhdxLayer(random, { sizeBytes, blockBytes: blockBytes(), sectorBytes });
	let name = 'disk.vhdx';
	for (let left = 1 + random.below(3); ; left--) {
		writeAny(random, layer, model);
		const { measures, dataWriteGuid } = layer;
		await layer.save(join(directory, name));
		if (left === 0) return { path: join(directory, name), sizeBytes: measures.sizeBytes, model };
		const size = isPlain ? sizeBytes : resized(random, measures);
		model.clear(Math.min(size, measures.sizeBytes), 2 ** 50);
		layer = new VhdxLayer(
			random,
			{ sizeBytes: size, blockBytes: blockBytes(), sectorBytes },
			isPlain ? plainLocator(name, dataWriteGuid) : locatorOf(random, name, dataWriteGuid),
		);
		name = `disk_${left}.avhdx`;
	}
}
