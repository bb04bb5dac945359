import type { BigIntStats } from 'node:fs';

/**
 * A file, told from another one of the same name: its inode, and its birth time, since file systems give the number of a
 * removed file to the next one they make. `file-INODE-BIRTH`, the latter in nanoseconds.
 */
export function fileIdentity({ ino, birthtimeNs }: Pick<BigIntStats, 'ino' | 'birthtimeNs'>): string {
	return `file-${ino}-${birthtimeNs}`;
}

/** Whether an identity is one of {@link fileIdentity}, and can be compared with an open file. */
export function isFileIdentity(identity: string): boolean {
	return identity.startsWith('file-');
}
