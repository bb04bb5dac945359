/** Imports from sources of which a test says what they tell, against a base that may have been harmed. */
import assert from 'node:assert/strict';
import { BadPlaces } from '../../repository/bad-places.ts';
import { keys } from '../../repository/format/keys.ts';
import type { PackFooter } from '../../repository/format/pack.ts';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import { importMachine, type ImportResult } from '../../repository/import/import-machine.ts';
import type { BaseName } from '../../repository/import/intent.ts';
import { allPackFooters } from '../../repository/pack-footers.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { type DamagingStore, importDisks, memoryRepository, noise, wholeSource } from './repositories.ts';
import { SaidSource } from './said-source.ts';
import { sampleConfig, sampleDisks } from './sample-config.ts';

export const chunkBytes = 4096;
export const leafBytes = 1024 * chunkBytes;
export const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
export const machine = 'web01';
export const baseTime = '2026-11-20T03:00:00.000Z';
export const time = '2026-11-21T03:00:00.000Z';

export interface Piece {
	atBytes: number;
	lengthBytes: number;
	seed: number;
}

/** Zero but for pieces of noise; what they say beyond its end is cut. */
export function written(disk: Buffer, pieces: readonly Piece[]): Buffer {
	const bytes = Buffer.from(disk);
	for (const { atBytes, lengthBytes, seed } of pieces) {
		const part = bytes.subarray(atBytes % bytes.length).subarray(0, lengthBytes);
		if (seed === 0) part.fill(0);
		else noise(part.length, seed).copy(part);
	}
	return bytes;
}

export interface Cut {
	lengthBytes: number;
	/** Whether the source tells what it could. */
	says: boolean;
}

/** As a source may tell of a disk that was `base` before: every piece as it is, or as data. */
export function extentsOf(bytes: Buffer, base: Buffer, cuts: readonly Cut[]): SourceExtent[] {
	const extents: SourceExtent[] = [];
	for (let offsetBytes = 0; offsetBytes < bytes.length; ) {
		const { lengthBytes: wish, says } = cuts[extents.length % cuts.length] ?? { lengthBytes: 1, says: true };
		const lengthBytes = Math.min(wish, bytes.length - offsetBytes);
		const piece = bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
		const isUnchanged = piece.equals(base.subarray(offsetBytes, offsetBytes + lengthBytes));
		const isZero = piece.equals(Buffer.alloc(lengthBytes));
		const kind = says && isUnchanged ? 'unchanged' : says && isZero ? 'zero' : 'data';
		extents.push({ offsetBytes, lengthBytes, kind });
		offsetBytes += lengthBytes;
	}
	return extents;
}

export function importAs(
	repository: Repository,
	sources: readonly SaidSource[],
	base: BaseName | null,
	more: { moment?: string | null; time?: string } = {},
): Promise<ImportResult> {
	const config = { ...sampleConfig, disks: sampleDisks(sources.length) };
	const own = { importId, moment: 'then', time, packBytes: 40 * chunkBytes, ...more };
	return importMachine({ repository, machine, sources, config, base, ...own });
}

export function baseOf({ restorePoint, manifestDigest }: ImportResult): BaseName {
	return { restorePoint, manifestDigest };
}

export async function digestsAt(repository: Repository, at = time): Promise<string[]> {
	const point = await readPoint(repository, machine, at);
	assert.deepEqual((await verifyPoint(repository, point)).damaged, []);
	return point.manifest.disks.map(({ contentDigest }) => contentDigest);
}

/** As stored without a base. */
export async function expectedOf(disks: readonly Buffer[]): Promise<string[]> {
	const repository = await memoryRepository();
	await importDisks(repository, disks.map(wholeSource), { time, packBytes: 2 ** 20 });
	const { manifest } = await readPoint(repository, machine, time);
	return manifest.disks.map(({ contentDigest }) => contentDigest);
}

export function countOf({ length }: Buffer): number {
	return Math.ceil(length / chunkBytes);
}

/** One that cannot tell what is unchanged. */
export function allData(bytes: Buffer): SaidSource {
	return new SaidSource(bytes, [{ offsetBytes: 0, lengthBytes: bytes.length, kind: 'data' }]);
}

/** Numbers of chunks that were read. */
export function chunksRead({ reads }: SaidSource): number[] {
	return reads.flatMap(({ offsetBytes, lengthBytes }) =>
		Array.from({ length: Math.ceil(lengthBytes / chunkBytes) }, (_, index) => offsetBytes / chunkBytes + index),
	);
}

/** What may have become of a base: each leaves a point that lacks something, or is none. */
export const harms = {
	nothing: async () => {},
	'a bad data place': harmPlaces('chunk', 3),
	'bad places of pages': harmPlaces('page', 1),
	'a data pack gone': harmPack('chunk'),
	'a page pack gone': harmPack('page'),
	'a data pack with a damaged footer': harmFooter('chunk'),
	'a page pack with a damaged footer': harmFooter('page'),
	'pages damaged': async (store: DamagingStore) => {
		for (const { key, kind } of await packsIn(store)) if (kind === 'page') await store.flipByte(key, 45);
	},
	'no manifest': async (store: DamagingStore) => store.delete(keys.point(machine, baseTime)),
	'a damaged manifest': async (store: DamagingStore) => store.flipByte(keys.point(machine, baseTime), 50),
} satisfies Record<string, (store: DamagingStore) => Promise<void>>;

export async function packsIn(
	store: DamagingStore,
): Promise<{ key: string; kind: PackFooter['kind']; footer: PackFooter }[]> {
	const packs: { key: string; kind: PackFooter['kind']; footer: PackFooter }[] = [];
	for await (const footer of allPackFooters(store, ({ error }) => assert.fail(error)))
		packs.push({ key: keys.pack(footer.packId), kind: footer.kind, footer });
	return packs;
}

function harmPlaces(wanted: 'chunk' | 'page', every: number) {
	return async (store: DamagingStore) => {
		const bad = new BadPlaces(store);
		for (const { kind, footer } of await packsIn(store))
			if (kind === wanted)
				for (const [number, chunk] of footer.chunks.entries())
					if (number % every === 0) await bad.mark({ ...chunk, packId: footer.packId }, 'by a test');
	};
}

function harmPack(wanted: 'chunk' | 'page') {
	return async (store: DamagingStore) => {
		const packs = (await packsIn(store)).filter(({ kind }) => kind === wanted);
		for (const [number, { key }] of packs.entries()) if (number % 2 === 0) await store.delete(key);
	};
}

function harmFooter(wanted: 'chunk' | 'page') {
	return async (store: DamagingStore) => {
		const pack = (await packsIn(store)).find(({ kind }) => kind === wanted);
		if (pack) await store.flipByte(pack.key, store.bytesOf(pack.key).length - 100);
	};
}
