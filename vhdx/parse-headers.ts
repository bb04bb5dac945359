/** File identifier and headers: [MS-VHDX] 2.2.1, 2.2.2. */
import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { type ByteSource, bytesInside, refused } from './byte-source.ts';
import {
	fileSignature,
	formatVersion,
	headerBytes,
	headerSignature,
	headersAtBytes,
	logVersion,
	mebibyte,
} from './constants.ts';
import { FieldReader } from './field-reader.ts';
import type { Extent } from './header-section.ts';

export interface Header {
	readonly fileWriteGuid: string;
	readonly dataWriteGuid: string;
	/** Its content is of no account: a log that says something is refused. */
	readonly log: Extent;
}

/**
 * The header that counts. Throws `source_invalid` when the log holds changes that are not yet in the file, which is told
 * first, being the reason of all else that may be wrong, and when either header is broken. By 2.2.2 the other one counts
 * then, which is right after a power failure while a header was written; but of a header that went bad later nobody can tell
 * whether it was the newer one and named a log. 7-Zip refuses both, QEMU takes both.
 */
export async function currentHeader(source: ByteSource, signal?: AbortSignal): Promise<Header> {
	const identifier = new FieldReader(await bytesInside(source, 'file identifier', 0, 8, signal));
	if (identifier.text(0, 8) !== fileSignature) throw refused(source, `it does not begin with "${fileSignature}"`);
	const [first, second] = headersAtBytes;
	const one = await headerAt(source, first, signal);
	const other = await headerAt(source, second, signal);
	const whole = [one, other].filter(({ broken }) => broken === undefined);
	const current = whole.reduce(
		(last, next) => (next.sequenceNumber > last.sequenceNumber ? next : last),
		whole[0] ?? one,
	);
	if (whole.length > 0 && !current.fields.isZero(48, 16)) throw notClosed(source);
	const broken = one.broken ?? other.broken;
	if (broken !== undefined) throw whole.length > 0 ? halfLeft(source, broken) : refused(source, broken);
	// Disk2vhd 2.02 writes the same header twice, against 2.2.2.
	if (one.sequenceNumber === other.sequenceNumber && Buffer.compare(one.fields.bytes, other.fields.bytes) !== 0)
		throw refused(source, `both of its headers have the sequence number ${one.sequenceNumber}, and differ`);
	const { fields } = current;
	return {
		fileWriteGuid: fields.guid(16),
		dataWriteGuid: fields.guid(32),
		log: { atBytes: fields.place(72), lengthBytes: fields.u32(68) },
	};
}

function halfLeft(source: ByteSource, broken: string): RouseError {
	return refused(
		source,
		`${broken}, and whether its other header, which is whole, is the newer one cannot be told`,
		'copy it again; if this is the only copy of a disk without checkpoints, qemu-img goes by the other header: qemu-img convert -f vhdx -O qcow2 FILE NEW, look into NEW, and import that',
	);
}

/** QEMU opens no child, and gives a parent that it mends another DataWriteGuid, by which no child knows it any more. */
function notClosed({ name }: ByteSource): RouseError {
	return new RouseError('source_invalid', `${name} was not closed: what was written last is still in its log`, {
		hint: 'start and shut down its machine where it ran, or, of a disk without checkpoints, on a copy of it: qemu-img check -r all -f vhdx FILE',
	});
}

interface ReadHeader {
	fields: FieldReader;
	sequenceNumber: bigint;
	/** What is wrong with it. */
	broken: string | undefined;
}

async function headerAt(source: ByteSource, at: number, signal?: AbortSignal): Promise<ReadHeader> {
	const fields = new FieldReader(await bytesInside(source, 'header', at, headerBytes, signal));
	const problem = problemOf(fields);
	return {
		fields,
		sequenceNumber: fields.u64(8),
		broken: problem === undefined ? undefined : `its header at offset ${at} ${problem}`,
	};
}

function problemOf(fields: FieldReader): string | undefined {
	if (fields.text(0, 4) !== headerSignature) return `does not begin with "${headerSignature}"`;
	if (!fields.hasChecksum()) return 'has a wrong checksum';
	if (fields.u16(66) !== formatVersion) return `is of version ${fields.u16(66)}, and known is ${formatVersion}`;
	if (fields.u16(64) !== logVersion) return `has a log of version ${fields.u16(64)}, and known is ${logVersion}`;
	const [atBytes, lengthBytes] = [fields.place(72), fields.u32(68)];
	const isWhole = lengthBytes % mebibyte === 0 && atBytes % mebibyte === 0;
	return isWhole ? undefined : `has a log of ${exactBytes(lengthBytes)} at offset ${atBytes}, not in whole MiB`;
}
