/**
 * What the tables of an image point to must lie inside its files. QEMU reads what lies behind the end of a file as zeros,
 * without an error, and so a copy that broke off would pass for the disk.
 */
import { RouseError } from '../model/errors.ts';
import type { MissingSink } from './missing-parts.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';

/** How tables are read. It takes as long as it takes: no more of them are read than the file has room for. */
export interface TableReading {
	signal: AbortSignal;
	/** Is told of data that lies behind the end of the file, which then is no error. */
	missing?: MissingSink | undefined;
	/** Told up to where on the disk tables were looked at, and how large it is; often. */
	seen?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** A piece of a table: a multiple of every entry's size, and little memory. */
const pieceBytes = 2 ** 20;

/** Where data is on the disk. `isWhole`: of a piece that is cut nothing can be read. */
export interface DiskPlace {
	atBytes: number;
	lengthBytes: number;
	isWhole?: boolean;
}

/** Gathers how far tables reach into a file, to look once whether the file reaches as far. */
export class Reach {
	readonly #file: OpenedFile;
	readonly #missing: MissingSink | undefined;
	#what = '';
	#atBytes = 0;
	#endBytes = 0;
	#isData = false;

	/** `missing`: is told of data that lies behind the end, which then is no error. */
	constructor(file: OpenedFile, missing?: MissingSink) {
		this.#file = file;
		this.#missing = missing;
	}

	/** `what` in the words of the format, as "grain"; its place and length as the table has them. `place`: of data. */
	add(what: string, atBytes: number, lengthBytes: number, place?: DiskPlace): void {
		const endBytes = atBytes + lengthBytes;
		if (place && this.#missing && reachesBeyond(this.#file, endBytes)) {
			const thereBytes = place.isWhole ? 0 : Math.min(lengthBytes, Math.max(0, this.#file.sizeBytes - atBytes));
			this.#missing.add(place.atBytes + thereBytes, place.lengthBytes - thereBytes);
			return;
		}
		if (!(endBytes > this.#endBytes)) return;
		this.#what = what;
		this.#atBytes = atBytes;
		this.#endBytes = endBytes;
		this.#isData = place !== undefined;
	}

	/** Throws `source_invalid` when something of what was added lies behind the end of the file. */
	async mustLieInside(): Promise<void> {
		const hint = this.#isData ? partialHint : undefined;
		await mustLieInside(this.#file, this.#what, this.#atBytes, this.#endBytes - this.#atBytes, hint);
	}
}

/** Where it is known what is missing. */
export const partialHint = 'copy it again, whole; or take the part that is there with --partial';

/** Of a device nobody knows. */
export function reachesBeyond({ found, sizeBytes }: OpenedFile, endBytes: number): boolean {
	return found.isFile() && endBytes > sizeBytes;
}

/** Throws `source_invalid` unless the file has these bytes, whatever they are. */
export async function mustLieInside(
	file: OpenedFile,
	what: string,
	atBytes: number,
	lengthBytes: number,
	hint = 'copy it again, whole',
): Promise<void> {
	if (lengthBytes === 0) return;
	const endBytes = atBytes + lengthBytes;
	const { path, found, sizeBytes } = file;
	// A device tells no size, but has a last byte or not.
	const isInside = found.isFile() ? endBytes <= sizeBytes : (await bytesAt(file, endBytes - 1, 1)).length === 1;
	if (isInside) return;
	const size = found.isFile() ? ` of ${exactBytes(sizeBytes)}` : '';
	throw new RouseError(
		'source_invalid',
		`${path} is cut short: the file${size} ends before its ${what} at offset ${atBytes}, which has ${exactBytes(lengthBytes)}`,
		{
			hint,
			details: { path, offsetBytes: atBytes, lengthBytes, sizeBytes },
		},
	);
}

/** The bytes, all of them. Throws `source_invalid` when the file ends before. For what fits memory easily. */
export async function wholeBytesAt(
	file: OpenedFile,
	what: string,
	atBytes: number,
	lengthBytes: number,
): Promise<Buffer> {
	await mustLieInside(file, what, atBytes, lengthBytes);
	const bytes = await bytesAt(file, atBytes, lengthBytes);
	if (bytes.length === lengthBytes) return bytes;
	throw new RouseError('source_invalid', `${file.path} became shorter while it was looked at`);
}

/** A table of any length in pieces of whole entries; `firstEntry` is the number of a piece's first one. */
export async function* tablePieces(
	file: OpenedFile,
	{ what, atBytes, count, entryBytes }: { what: string; atBytes: number; count: number; entryBytes: number },
	signal: AbortSignal,
): AsyncGenerator<{ firstEntry: number; bytes: Buffer }> {
	await mustLieInside(file, what, atBytes, count * entryBytes);
	const perPiece = Math.floor(pieceBytes / entryBytes);
	for (let firstEntry = 0; firstEntry < count; firstEntry += perPiece) {
		signal.throwIfAborted();
		const lengthBytes = Math.min(perPiece, count - firstEntry) * entryBytes;
		yield { firstEntry, bytes: await wholeBytesAt(file, what, atBytes + firstEntry * entryBytes, lengthBytes) };
	}
}

/** An image whose own numbers contradict each other. */
export function damaged({ path }: OpenedFile, what: string): RouseError {
	return new RouseError('source_invalid', `${path} is damaged: ${what}`, {
		hint: 'copy it again, or convert it where it was made',
	});
}
