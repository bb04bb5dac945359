import { chown, lstat } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';

/**
 * A machine's user owns the directory of its sockets while QEMU starts. From then on it is ours again: else a QEMU that its
 * guest has taken over could put links in the place of its sockets, and have us connect as root to whatever it likes.
 */
export async function takeRunDirectory(runDirectory: string): Promise<void> {
	const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
	if ((await lstat(runDirectory)).uid !== uid) await chown(runDirectory, uid, gid);
}

/** After {@link takeRunDirectory}: nobody can exchange it any more. What is not there is told by who connects. */
export async function mustBeSocket(path: string): Promise<void> {
	const found = await lstat(path).catch(() => undefined);
	if (found === undefined || found.isSocket()) return;
	throw new RouseError('identity_conflict', `${path} is no socket: something has taken its place`, {
		hint: 'power the machine off, and look at what runs in it',
	});
}
