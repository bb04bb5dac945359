import { createHash } from 'node:crypto';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import type { DiskSource, SourceExtent } from '../../../repository/import/disk-source.ts';
import type { StoredDisk } from '../../../repository/stored-disk.ts';
import type { DigestRange, Ranges } from '../ranges.ts';
import { ahead } from './ahead.ts';
import type { ComposedDisk } from './machine.ts';
import { type Part, partsWithin } from './parts.ts';

/** What is compared at a time. Chunks of repositories are of this size, or several make one. */
const unitBytes = 128 * 1024;
/** Of one question for digests: 1 KiB comes back for it. */
const askedBytes = 4 * 2 ** 20;
/** At once: one is made there while another one is on its way. */
const mostQuestions = 3;

export interface ComposedReads {
	disk: ComposedDisk;
	ranges: Ranges;
	/** The disk as it was; undefined: nothing is compared. */
	base: StoredDisk | undefined;
	/** Throws `moment_lost` when what is read is not what it was any more. */
	mustBeWhole(signal: AbortSignal): Promise<void>;
	/** As {@link ComposedReads.mustBeWhole}, when all was read: also what was read as it lies there. */
	mustBeUnchanged(signal: AbortSignal): Promise<void>;
}

/** A disk that is read part by part, and compared with a base where there is one. */
export class ComposedSource implements DiskSource {
	readonly sizeBytes: number;
	readonly #reads: ComposedReads;

	constructor(reads: ComposedReads) {
		this.sizeBytes = reads.disk.sizeBytes;
		this.#reads = reads;
	}

	async *extents(signal: AbortSignal): AsyncGenerator<SourceExtent> {
		const { disk, base } = this.#reads;
		for (const part of disk.parts) {
			signal.throwIfAborted();
			const { offsetBytes, lengthBytes, from } = part;
			if (from.kind === 'zero') yield { offsetBytes, lengthBytes, kind: 'zero' };
			else if (base === undefined) yield { offsetBytes, lengthBytes, kind: 'data' };
			else if (from.kind === 'bytes')
				yield {
					offsetBytes,
					lengthBytes,
					kind: (await isInBase(base, part, from.bytes, signal)) ? 'unchanged' : 'data',
				};
			else yield* this.#compared(part, { path: from.path, atBytes: from.atBytes }, base, signal);
		}
	}

	async *#compared(
		part: Part,
		{ path, atBytes }: { path: string; atBytes: number },
		base: StoredDisk,
		signal: AbortSignal,
	): AsyncGenerator<SourceExtent> {
		const { ranges } = this.#reads;
		const compare = async ({ at, length, firstBytes }: Question) => {
			const range = { atBytes: atBytes + at - part.offsetBytes, lengthBytes: length, firstBytes, unitBytes };
			return await Promise.all([
				this.#whole(() => ranges.digests(path, range, signal), signal),
				baseDigests(base, at, range, signal),
			]);
		};
		for await (const { item, result } of ahead(questionsFor(part), compare, mostQuestions)) {
			signal.throwIfAborted();
			const [there, here] = result;
			let from = item.at;
			for (const [index, digest] of there.entries()) {
				const until = Math.min(from - (from % unitBytes) + unitBytes, item.at + item.length);
				const kind = digest.equals(here[index] ?? Buffer.alloc(0)) ? 'unchanged' : 'data';
				yield { offsetBytes: from, lengthBytes: until - from, kind };
				from = until;
			}
		}
	}

	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const { disk, ranges } = this.#reads;
		const parts = partsWithin(disk.parts, offsetBytes, into.length);
		await this.#whole(
			() =>
				Promise.all(
					parts.map(async part => {
						const to = into.subarray(part.offsetBytes - offsetBytes, part.offsetBytes - offsetBytes + part.lengthBytes);
						if (part.from.kind === 'zero') to.fill(0);
						else if (part.from.kind === 'bytes') part.from.bytes.copy(to);
						else await ranges.read(part.from.path, part.from.atBytes, to, signal);
					}),
				),
			signal,
		);
	}

	async checkUnchanged(signal = new AbortController().signal): Promise<void> {
		await this.#reads.mustBeUnchanged(signal);
	}

	/** What it reads by is the machine's, and others read by it as well. */
	async close(): Promise<void> {}

	/** A snapshot that is full gives errors, and is found out by them. */
	async #whole<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
		try {
			return await work();
		} catch (error) {
			signal.throwIfAborted();
			if (asRouseError(error).code === 'source_invalid') await this.#reads.mustBeWhole(signal);
			throw error;
		}
	}
}

interface Question {
	/** Of the disk. */
	at: number;
	length: number;
	/** Up to the next unit. */
	firstBytes: number;
}

/** Cut at the units of the disk, wherever the part begins. */
function* questionsFor({ offsetBytes, lengthBytes }: Part): Generator<Question> {
	const end = offsetBytes + lengthBytes;
	for (let at = offsetBytes; at < end; ) {
		const length = Math.min(askedBytes - (at % unitBytes), end - at);
		yield { at, length, firstBytes: Math.min(unitBytes - (at % unitBytes), length) };
		at += length;
	}
}

async function baseDigests(
	base: StoredDisk,
	offsetBytes: number,
	{ lengthBytes, firstBytes, unitBytes: unit }: DigestRange,
	signal: AbortSignal,
): Promise<Buffer[]> {
	const bytes = Buffer.alloc(lengthBytes);
	const digests: Buffer[] = [];
	for (let at = 0, end = Math.min(firstBytes, lengthBytes); at < lengthBytes; ) {
		const part = bytes.subarray(at, end);
		digests.push(await baseDigest(base, offsetBytes + at, part, signal));
		at = end;
		end = Math.min(end + unit, lengthBytes);
	}
	return digests;
}

async function isInBase(base: StoredDisk, { offsetBytes }: Part, bytes: Buffer, signal: AbortSignal): Promise<boolean> {
	const there = await baseDigest(base, offsetBytes, Buffer.alloc(bytes.length), signal);
	return there.equals(createHash('sha256').update(bytes).digest());
}

/** Of what the base cannot give nothing is unchanged: it is no digest at all. */
async function baseDigest(base: StoredDisk, offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<Buffer> {
	try {
		if (offsetBytes + into.length > base.sizeBytes) return Buffer.alloc(0);
		await base.read(offsetBytes, into, signal);
		return createHash('sha256').update(into).digest();
	} catch (error) {
		signal.throwIfAborted();
		if (error instanceof RouseError) return Buffer.alloc(0);
		throw error;
	}
}
