import { unreadable, type Volume } from './volume.ts';

/** A file, a directory or a link of some file system. What is wrong with it throws `source_invalid`. */
export interface FileNode {
	readonly kind: 'file' | 'directory' | 'link' | 'other';
	readonly sizeBytes: number;
	/** Its bytes from there to the end, in order, in pieces of at most 1 MiB; of a link the path it leads to. */
	content(fromBytes: number): AsyncIterable<Buffer>;
	/** What is in a directory, without `.` and `..`; empty for all else. */
	entries(): AsyncIterable<DirectoryEntry>;
}

export interface DirectoryEntry {
	readonly name: string;
	open(): Promise<FileNode>;
}

export interface FileSystem {
	/** For people: `ext4`, `xfs`. */
	readonly kind: string;
	/** Whether names are the same in upper and lower case. */
	readonly ignoresCase?: boolean;
	root(): Promise<FileNode>;
}

export interface NamedFileSystem extends FileSystem {
	/** For people, where it lies: `disk0 partition 1`. */
	readonly where: string;
}

/** A part of a file: where it lies on the volume, or null for a hole. */
export interface Run {
	fileAtBytes: number;
	volumeAtBytes: number | null;
	lengthBytes: number;
}

const mostPieceBytes = 2 ** 20;

/** The bytes of a file by its runs, which MUST come in order; what none of them covers is zeros. */
export async function* contentOf(
	volume: Volume,
	sizeBytes: number,
	runs: AsyncIterable<Run>,
	fromBytes: number,
): AsyncGenerator<Buffer> {
	let at = fromBytes;
	let seen = 0;
	for await (const { fileAtBytes, volumeAtBytes, lengthBytes } of runs) {
		if (at >= sizeBytes) return;
		if (fileAtBytes < seen) throw unreadable(`parts of a file overlap at its offset ${fileAtBytes}`);
		seen = fileAtBytes + lengthBytes;
		const end = Math.min(seen, sizeBytes);
		if (end <= at) continue;
		yield* zeros(Math.min(fileAtBytes, end) - at);
		at = Math.max(at, fileAtBytes);
		if (volumeAtBytes === null) yield* zeros(end - at);
		else
			for (let piece = at; piece < end; piece += mostPieceBytes)
				yield await volume.read(volumeAtBytes + piece - fileAtBytes, Math.min(mostPieceBytes, end - piece));
		at = Math.max(at, end);
	}
	yield* zeros(sizeBytes - at);
}

function* zeros(lengthBytes: number): Generator<Buffer> {
	for (let left = lengthBytes; left > 0; left -= mostPieceBytes) yield Buffer.alloc(Math.min(mostPieceBytes, left));
}
