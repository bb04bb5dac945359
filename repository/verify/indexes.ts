import { RouseError } from '../../model/errors.ts';
import {
	compareRecords,
	damagedIndex,
	idBytes,
	indexPackBytes,
	indexRecordBytes,
	readPlace,
} from '../format/index-object.ts';
import { indexIdOfKey, keys } from '../format/keys.ts';
import { IndexGone, IndexReader } from '../index/index-reader.ts';
import { listIndexes, maxIndexes } from '../index/list-indexes.ts';
import { chunkPrint, type PackPrints } from './pack-prints.ts';
import { unlessUnreadable } from './small-objects.ts';
import type { Verification } from './verification.ts';

/**
 * Every index whole: its digests, its order, and that it has of each pack what the pack's footer has. Then the packs are told that
 * none of them has.
 */
export async function verifyIndexes(work: Verification, prints: PackPrints): Promise<void> {
	const { repository, findings, signal } = work;
	const superseded = new Map<string, string>();
	const seen = new Set<string>();
	// Another one stands for an index that is gone since it was listed; that one may not have been there then.
	while (await verifyUnseen(work, prints, { superseded, seen }));
	for await (const { key } of repository.store.list(keys.indexes, signal)) {
		const by = superseded.get(indexIdOfKey(key) ?? '');
		if (by !== undefined)
			findings.notice(key, 'index_superseded', `index ${by} stands for it`, 'the next import removes it');
	}
	const { leftOut } = await listIndexes(repository.store, signal);
	if (leftOut > 0)
		findings.notice(
			keys.indexes,
			'index_surplus',
			`${leftOut} indexes more than the ${maxIndexes} that are looked at, of which nothing was read`,
			'remove all objects there while no import is under way: the next import makes indexes from the packs',
		);
	for (const [packId, print] of prints)
		if (print?.indexed === false)
			findings.notice(keys.pack(packId), 'pack_unindexed', 'no index tells of its chunks', 'the next import makes one');
}

interface Looked {
	/** By id, the one that stands for it. */
	superseded: Map<string, string>;
	seen: Set<string>;
}

/** True: one is gone that was listed. */
async function verifyUnseen(work: Verification, prints: PackPrints, { superseded, seen }: Looked): Promise<boolean> {
	const { repository, findings, signal } = work;
	let gone = false;
	const { sizes } = await listIndexes(repository.store, signal);
	for (const [indexId, sizeBytes] of sizes) {
		if (seen.has(indexId)) continue;
		seen.add(indexId);
		try {
			const reader = await IndexReader.open(repository.store, { indexId, sizeBytes }, signal);
			const stoodFor = await reader.superseded(signal);
			await verifyIndex(reader, prints, signal);
			// One that is damaged stands for no other.
			for (const id of stoodFor) if (sizes.has(id)) superseded.set(id, indexId);
		} catch (error) {
			if (error instanceof IndexGone) gone = true;
			else findings.error(keys.index(indexId), unlessUnreadable(error));
		}
		work.onBytes(sizeBytes);
	}
	return gone;
}

/** Throws `format_damaged`, {@link IndexGone}. */
async function verifyIndex(reader: IndexReader, prints: PackPrints, signal: AbortSignal | undefined): Promise<void> {
	const { indexId, trailer } = reader;
	const packs = await reader.verifiedPacks(signal);
	const chunks = new Uint32Array(trailer.packs);
	const sums = new Uint32Array(trailer.packs);
	let last: Buffer | undefined;
	for await (const block of reader.allRecords(signal)) {
		for (let at = 0; at < block.length; at += indexRecordBytes) {
			if (last !== undefined && compareRecords(last, 0, block, at) >= 0)
				throw damagedIndex(indexId, 'its records are not in their order');
			last = block.subarray(at, at + indexRecordBytes);
			const { packNumber, offsetBytes, storedBytes } = readPlace(block, at);
			if (packNumber >= trailer.packs)
				throw damagedIndex(indexId, `a record names pack ${packNumber} of ${trailer.packs}`);
			chunks[packNumber] = (chunks[packNumber] ?? 0) + 1;
			sums[packNumber] = (sums[packNumber] ?? 0) + chunkPrint(block, at, offsetBytes, storedBytes);
		}
	}
	comparePacks(indexId, packs, { chunks, sums }, prints);
}

/** A pack that is gone, or whose footer cannot be read, is told elsewhere, or was removed since. */
function comparePacks(
	indexId: string,
	packs: Buffer,
	{ chunks, sums }: { chunks: Uint32Array; sums: Uint32Array },
	prints: PackPrints,
): void {
	let wrong: RouseError | undefined;
	for (let number = 0; number < chunks.length; number++) {
		const packId = packs.toString('hex', indexPackBytes * number, indexPackBytes * number + idBytes);
		const print = prints.get(packId);
		if (print === undefined) continue;
		if (print.chunks === chunks[number] && print.sum === sums[number]) print.indexed = true;
		else wrong ??= damagedIndex(indexId, `of pack ${packId} it has other chunks than the pack's footer`);
	}
	if (wrong !== undefined) throw wrong;
}
