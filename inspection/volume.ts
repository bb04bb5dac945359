import { RouseError } from '../model/errors.ts';

/** Bytes of a disk, a partition or a logical volume, read here and there. */
export interface Volume {
	/** For people: `disk0 partition 1`. */
	readonly name: string;
	readonly sizeBytes: number;
	/** All of these bytes, or it throws: `source_invalid` for bytes that the volume does not have. */
	read(atBytes: number, lengthBytes: number): Promise<Buffer>;
}

/** What contradicts its format, or has what is not known here. It is told, and never ends an import. */
export function unreadable(what: string): RouseError {
	return new RouseError('source_invalid', what);
}

/** A part of a volume as one of its own. What of it lies behind the end cannot be read. */
export function partOf(whole: Volume, name: string, atBytes: number, sizeBytes: number): Volume {
	return {
		name,
		sizeBytes,
		read: async (at, lengthBytes) => {
			mustLieInside({ name, sizeBytes }, at, lengthBytes);
			return await whole.read(atBytes + at, lengthBytes);
		},
	};
}

export function mustLieInside(
	{ name, sizeBytes }: Pick<Volume, 'name' | 'sizeBytes'>,
	atBytes: number,
	lengthBytes: number,
): void {
	if (atBytes >= 0 && lengthBytes >= 0 && atBytes + lengthBytes <= sizeBytes) return;
	throw unreadable(`something lies at offset ${atBytes}, outside of ${name}`);
}
