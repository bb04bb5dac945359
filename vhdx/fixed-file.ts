import { type FileLayout, openingPieces, type Piece } from './file-layout.ts';
import { identity, type NewDisk } from './identity-header.ts';

/** A file with room for every block, in the order of the disk. Throws `input_invalid`. */
export function fixedFile(disk: NewDisk): FileLayout {
	const { opening, payloadOffsetBytes, fileSizeBytes } = identity(disk);
	const { sizeBytes, blockBytes } = opening.geometry;
	const paddingBytes = fileSizeBytes - payloadOffsetBytes - sizeBytes;
	function* pieces(): Generator<Piece> {
		yield* openingPieces(opening);
		yield { kind: 'disk', atBytes: 0, lengthBytes: sizeBytes };
		if (paddingBytes > 0) yield { kind: 'zeros', lengthBytes: paddingBytes };
	}
	return { fileSizeBytes, blockBytes, pieces };
}
