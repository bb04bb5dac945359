/** File identifier and headers: [MS-VHDX] 2.2.1, 2.2.2. */
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

interface ReadHeader extends Header {
	fields: FieldReader;
	sequenceNumber: bigint;
}

/**
 * The header that counts. Throws `source_invalid` when either of both is broken (it then was written to when it was copied,
 * and 7-Zip refuses it as well) and when the log holds changes that are not yet in the file.
 */
export async function currentHeader(source: ByteSource, signal?: AbortSignal): Promise<Header> {
	const identifier = new FieldReader(await bytesInside(source, 'file identifier', 0, 8, signal));
	if (identifier.text(0, 8) !== fileSignature) throw refused(source, `it does not begin with "${fileSignature}"`);
	const [first, second] = headersAtBytes;
	const one = await headerAt(source, first, signal);
	const other = await headerAt(source, second, signal);
	// Disk2vhd 2.02 writes the same header twice, against 2.2.2.
	if (one.sequenceNumber === other.sequenceNumber && Buffer.compare(one.fields.bytes, other.fields.bytes) !== 0)
		throw refused(source, `both of its headers have the sequence number ${one.sequenceNumber}, and differ`);
	const current = one.sequenceNumber >= other.sequenceNumber ? one : other;
	if (!current.fields.isZero(48, 16))
		throw refused(
			source,
			'its log is not empty: it was not closed, and changes of its tables are in the log alone',
			'shut down what uses it and copy it again; or have the log replayed: in Windows by Mount-VHD without -ReadOnly, else by qemu-img check -r all FILE',
		);
	return current;
}

async function headerAt(source: ByteSource, at: number, signal?: AbortSignal): Promise<ReadHeader> {
	const fields = new FieldReader(await bytesInside(source, 'header', at, headerBytes, signal));
	const wrong = (what: string) => refused(source, `its header at offset ${at} ${what}`);
	if (fields.text(0, 4) !== headerSignature) throw wrong(`does not begin with "${headerSignature}"`);
	if (!fields.hasChecksum()) throw wrong('has a wrong checksum');
	if (fields.u16(66) !== formatVersion) throw wrong(`is of version ${fields.u16(66)}, and known is ${formatVersion}`);
	if (fields.u16(64) !== logVersion) throw wrong(`has a log of version ${fields.u16(64)}, and known is ${logVersion}`);
	const log = { atBytes: fields.place(72), lengthBytes: fields.u32(68) };
	if (log.lengthBytes % mebibyte !== 0 || log.atBytes % mebibyte !== 0)
		throw wrong(`has a log of ${log.lengthBytes} bytes at offset ${log.atBytes}, not in whole MiB`);
	return {
		fields,
		sequenceNumber: fields.u64(8),
		fileWriteGuid: fields.guid(16),
		dataWriteGuid: fields.guid(32),
		log,
	};
}
