import { chown, lstat } from 'node:fs/promises';

/**
 * A machine's user owns the directory of its sockets while QEMU starts. From then on it is ours again: else a QEMU that its
 * guest has taken over could put links in the place of its sockets, and have us connect as root to whatever it likes.
 */
export async function takeRunDirectory(runDirectory: string): Promise<void> {
	const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
	if ((await lstat(runDirectory)).uid !== uid) await chown(runDirectory, uid, gid);
}
