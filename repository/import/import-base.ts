import type { DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { DiskReader } from '../disk-reader.ts';
import { readOrDamage } from '../read-points.ts';
import type { Repository } from '../repository.ts';
import type { VerifiedChunks } from '../verified-chunks.ts';
import type { BaseName } from './intent.ts';

/**
 * A point with so many is not asked any more: for each one all packs of the repository were looked at, and what it would tell
 * the indexes do.
 */
export const maxDamagedPages = 8;

/** Pages of each disk that are kept: they are looked at in ascending order. */
const pagesBytes = 2 * 1024 * 1024;

type Shape = Pick<Repository, 'chunkSizeBytes' | 'frameSizeBytes'>;

/** A disk of the base, or why it is none. */
export type BaseDisk = { reader: DiskReader; why?: undefined } | { reader?: undefined; why: string };

/** The point that an import takes unchanged chunks from. Whatever is wrong with it, the import reads its source instead. */
export class ImportBase {
	readonly #shape: Shape;
	readonly #chunks: VerifiedChunks;
	readonly #images: readonly DiskImage[];
	readonly #readers = new Map<number, DiskReader>();
	readonly #damage = new Set<RouseError>();
	#why: string | undefined;

	private constructor(shape: Shape, chunks: VerifiedChunks, found: { images?: readonly DiskImage[]; why?: string }) {
		this.#shape = shape;
		this.#chunks = chunks;
		this.#images = found.images ?? [];
		this.#why = found.why;
	}

	/** Why nothing can be taken from it. */
	get why(): string | undefined {
		return this.#why;
	}

	/** Of a page. The same page is the same error: the readers remember it. */
	noteDamage(error: RouseError): void {
		this.#damage.add(error);
		if (this.#damage.size >= maxDamagedPages) this.#why = this.damageText;
	}

	/** Why nothing under a page that was noted can be taken. */
	get damageText(): string {
		const [first] = this.#damage;
		return `pages of its base are damaged${first === undefined ? '' : `, the first of them: ${first.message}`}`;
	}

	/** When the intent is durable: it keeps the base from being removed. */
	static async open(
		repository: Repository,
		chunks: VerifiedChunks,
		{ machine, base }: { machine: string; base: BaseName | null },
		signal?: AbortSignal,
	): Promise<ImportBase> {
		const of = (found: { images?: readonly DiskImage[]; why?: string }) => new ImportBase(repository, chunks, found);
		if (base === null) return of({ why: 'the import has no base' });
		const name = `${machine}@${base.restorePoint}`;
		const point = await readOrDamage(repository, machine, base.restorePoint, signal);
		if (point === undefined) return of({ why: `its base ${name} is gone` });
		if (point instanceof RouseError) return of({ why: `its base ${name} cannot be read: ${point.message}` });
		if (point.manifestDigest !== base.manifestDigest) return of({ why: `its base ${name} is another point by now` });
		return of({ images: point.manifest.disks });
	}

	/** For hints, which are compared: a disk of whatever size with these sizes of chunk and frame. */
	reader(disk: number): DiskReader | undefined {
		const image = this.#images[disk];
		const { chunkSizeBytes, frameSizeBytes } = this.#shape;
		if (image?.chunkSizeBytes !== chunkSizeBytes || image.frameSizeBytes !== frameSizeBytes) return undefined;
		const reader = this.#readers.get(disk) ?? readerOfBase(this.#chunks, image);
		this.#readers.set(disk, reader);
		return reader;
	}

	/** For chunks that are taken without a look at the source: all of it must be what the source had then. */
	disk(disk: number | undefined, sizeBytes: number): BaseDisk {
		if (this.#why !== undefined) return { why: this.#why };
		const image = disk === undefined ? undefined : this.#images[disk];
		if (disk === undefined || image === undefined) return { why: 'its base has no such disk' };
		if (image.missing !== undefined) return { why: `disk ${disk} of its base is not whole` };
		if (image.sizeBytes !== sizeBytes)
			return { why: `disk ${disk} of its base has ${image.sizeBytes} bytes instead of ${sizeBytes}` };
		const reader = this.reader(disk);
		return reader === undefined ? { why: `disk ${disk} of its base has other sizes of chunk or frame` } : { reader };
	}
}

export function readerOfBase(chunks: VerifiedChunks, image: DiskImage): DiskReader {
	return new DiskReader(chunks, image, { class: 'migration', remembersDamage: true, cacheBytes: pagesBytes });
}
