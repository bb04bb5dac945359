import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';

/** A file, whatever it lies in. */
export interface ByteSource {
	/** What messages call it. */
	readonly name: string;
	readonly sizeBytes: number;
	/** All of these bytes, or it throws. Never asked for bytes behind the end. */
	read(atBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** A file that is no VHDX, contradicts itself, or has what is not known here. */
export function refused({ name }: Pick<ByteSource, 'name'>, what: string, hint = copyAgain): RouseError {
	return new RouseError('source_invalid', `${name} cannot be read as a VHDX: ${what}`, { hint });
}

const copyAgain = 'copy it again, or convert it where it was made';

/** Bytes that the file must have, since its own tables say so. Throws `source_invalid`. */
export async function bytesInside(
	source: ByteSource,
	what: string,
	atBytes: number,
	lengthBytes: number,
	signal?: AbortSignal,
): Promise<Uint8Array> {
	mustLieInside(source, what, atBytes, lengthBytes);
	const bytes = await source.read(atBytes, lengthBytes, signal);
	if (bytes.length === lengthBytes) return bytes;
	throw refused(source, `it became shorter while it was read, in its ${what} at offset ${atBytes}`);
}

/** Throws `source_invalid` unless the file has these bytes, whatever they are. */
export function mustLieInside(source: ByteSource, what: string, atBytes: number, lengthBytes: number): void {
	if (atBytes + lengthBytes <= source.sizeBytes) return;
	throw new RouseError(
		'source_invalid',
		`${source.name} is cut short: the file of ${exactBytes(source.sizeBytes)} ends before its ${what} at offset ${atBytes}, which has ${exactBytes(lengthBytes)}`,
		{ hint: 'copy it again, whole', details: { offsetBytes: atBytes, lengthBytes, sizeBytes: source.sizeBytes } },
	);
}
