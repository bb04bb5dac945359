import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { type ChunkDamage, isChunkDamage, lostBytes } from '../damage.ts';
import { decodeChunk, rawBytesOf } from '../format/chunk.ts';
import { Digester } from '../format/digest.ts';
import { keys, packIdOfKey } from '../format/keys.ts';
import { type PackFooter, refOf } from '../format/pack.ts';
import { Page } from '../format/page.ts';
import { lookAtPlace } from '../look-at-place.ts';
import { readPackFooter } from '../pack-footers.ts';
import { planReads } from '../read-plan.ts';
import { readRange } from '../read-object.ts';
import { expectHeader } from '../expect-header.ts';
import { type PackPrints, printOf } from './pack-prints.ts';
import type { Verification } from './verification.ts';

/** Chunks of one pack that are not what its footer says; told when it is known whether others have them. */
export interface WrongChunks {
	key: string;
	chunks: number;
	wrong: { digest: string; code: ChunkDamage['code']; message: string }[];
	/** How many more are wrong of which nobody asks whether others have them: there are too many. */
	unasked: number;
}

export interface VerifiedPacks {
	packs: number;
	chunks: number;
	prints: PackPrints;
	wrong: WrongChunks[];
}

/** Reads every pack whole: footer, data digest, and each stored chunk. */
export async function verifyPacks(work: Verification): Promise<VerifiedPacks> {
	const counts = { packs: 0, chunks: 0 };
	const prints: PackPrints = new Map();
	const wrong: WrongChunks[] = [];
	for await (const { key, sizeBytes } of work.repository.store.list(keys.packs, work.signal)) {
		const packId = packIdOfKey(key);
		if (packId === undefined) continue;
		counts.packs++;
		const footer = await footerOf(work, { packId, sizeBytes });
		prints.set(packId, footer && printOf(footer));
		if (footer !== undefined) {
			counts.chunks += footer.chunks.length;
			work.pages.add(footer);
			const found = await verifyChunks(work, footer);
			if (found.wrong.length + found.unasked > 0) wrong.push(found);
		}
		work.onBytes(sizeBytes);
	}
	return { ...counts, prints, wrong };
}

async function footerOf(
	{ repository: { store }, findings, signal }: Verification,
	pack: { packId: string; sizeBytes: number },
): Promise<PackFooter | undefined> {
	try {
		return await readPackFooter(store, pack, signal);
	} catch (error) {
		findings.error(
			keys.pack(pack.packId),
			lostBytes(error),
			'put this pack back from a copy of the repository: its chunks are found by old references alone',
		);
		return undefined;
	}
}

async function verifyChunks(work: Verification, footer: PackFooter): Promise<WrongChunks> {
	const { findings, repository, signal } = work;
	const { packId, kind, chunks, dataDigest } = footer;
	const key = keys.pack(packId);
	const digester = new Digester();
	const wrong: WrongChunks = { key, chunks: chunks.length, wrong: [], unasked: 0 };
	let rawBytes = 0;
	let lost = false;
	const refs = chunks.map(chunk => refOf(packId, chunk));
	for (const read of planReads(refs, repository.store.properties.readBytes)) {
		const bytes = await readRange(repository.store, key, read, signal).catch(lostBytes);
		if (bytes === undefined) return { ...wrong, wrong: [], unasked: 0 }; // gone meanwhile
		lost ||= bytes instanceof RouseError;
		if (Buffer.isBuffer(bytes)) digester.update(bytes);
		for (const ref of read.refs) {
			const at = ref.offsetBytes - read.offsetBytes;
			const stored = Buffer.isBuffer(bytes) ? bytes.subarray(at, at + ref.storedBytes) : undefined;
			const raw = stored && rawOrDamage(ref, stored, kind);
			if (Buffer.isBuffer(raw)) {
				rawBytes += raw.length;
				tellOfRaw(work, key, ref, raw, kind);
			} else {
				const damage = await secondLook(work, ref, kind, stored !== undefined);
				lost = true; // what it was the first time is in the digest
				if (damage !== undefined) noteWrong(work, wrong, ref, damage);
			}
		}
	}
	if (lost) return wrong;
	const hint = 'put this pack back from a copy of the repository';
	if (!digester.digest().equals(dataDigest))
		findings.damage(key, 'format_damaged', 'its chunks do not match the digest of all of them in its trailer', hint);
	if (rawBytes !== footer.rawBytes)
		findings.damage(
			key,
			'format_damaged',
			`its chunks are ${rawBytes} bytes, its footer says ${footer.rawBytes}`,
			hint,
		);
	return wrong;
}

/** Not the error itself, which is many times as large: a whole disk may be wrong. */
function noteWrong(
	{ suspects }: Verification,
	found: WrongChunks,
	ref: ChunkRef,
	{ code, message }: ChunkDamage,
): void {
	if (suspects.add(ref)) found.wrong.push({ digest: ref.digest, code, message });
	else found.unasked++;
}

function rawOrDamage(ref: ChunkRef, stored: Buffer, kind: PackFooter['kind']): Buffer | ChunkDamage {
	try {
		return decodeChunk(ref, stored, rawBytesOf(stored) ?? 0, kind);
	} catch (error) {
		if (isChunkDamage(error)) return error;
		throw error;
	}
}

/** What no reader would notice, and no writer may do. */
function tellOfRaw(
	{ findings }: Verification,
	key: string,
	ref: ChunkRef,
	raw: Buffer,
	kind: PackFooter['kind'],
): void {
	if (raw.every(byte => byte === 0))
		findings.notice(
			key,
			'zero_chunk',
			`chunk ${ref.digest} at offset ${ref.offsetBytes} is all zero, and zeros are not stored`,
			'nothing is lost: report which program has written this pack',
		);
	if (kind === 'page')
		try {
			void new Page(raw);
		} catch (error) {
			findings.error(key, lostBytes(error));
		}
}

/** What is wrong when it is read once more; then it is marked as bad. Undefined: it is right now. */
async function secondLook(
	{ repository: { store }, bad, findings, signal }: Verification,
	ref: ChunkRef,
	kind: PackFooter['kind'],
	wasRead: boolean,
): Promise<ChunkDamage | undefined> {
	const look = await lookAtPlace(store, ref, kind, signal);
	if (look.found === 'right' && wasRead)
		findings.notice(
			keys.pack(ref.packId),
			'read_wrong_once',
			`chunk ${ref.digest} at offset ${ref.offsetBytes} was wrong when it was read first, and right the second time`,
			'look at the disk, its cable and the memory of this machine',
		);
	if (look.found !== 'wrong') return undefined;
	await expectHeader(store, signal);
	await bad.mark(ref, look.damage.message);
	return look.damage;
}

/** After the suspects are settled. */
export function tellOfWrongChunks(
	{ findings, suspects }: Verification,
	{ key, chunks, wrong, unasked }: WrongChunks,
): void {
	const hint = 'import the machines that need them again, or put this pack back from a copy of the repository';
	const lost = wrong.filter(({ digest }) => suspects.isLost(digest));
	const [firstLost] = lost;
	if (firstLost !== undefined)
		findings.damage(
			key,
			firstLost.code,
			`${lost.length} of its ${chunks} chunks are lost, the first: ${firstLost.message}`,
			hint,
		);
	if (unasked > 0)
		findings.damage(
			key,
			'chunk_bad',
			`${unasked} of its ${chunks} chunks are damaged, and with so many nobody has asked whether other packs have them`,
			hint,
		);
	const replaced = wrong.filter(({ digest }) => !suspects.isLost(digest));
	const [first] = replaced;
	if (first !== undefined)
		findings.notice(
			key,
			'chunk_replaced',
			`${replaced.length} of its ${chunks} chunks are damaged, and other packs have them: ${first.digest} is in ${suspects.elsewhere(first.digest)?.packId}`,
			'nothing is lost; look at the disk of this repository',
		);
}
