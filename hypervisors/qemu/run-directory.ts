import { constants } from 'node:fs';
import { chown, lstat, open } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';

/**
 * A machine's user owns the directory of its sockets while QEMU starts. From then on it is ours again: else a QEMU that its
 * guest has taken over could put links in the place of its sockets, and have us connect as root to whatever it likes.
 */
export async function takeRunDirectory(runDirectory: string): Promise<void> {
	const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
	if ((await lstat(runDirectory)).uid !== uid) await chown(runDirectory, uid, gid);
}

/** `way` leads to the very socket that was looked at, also when somebody puts something else in its place. */
export interface OpenedSocket {
	way: string;
	close(): Promise<void>;
}

/** `O_PATH` of open(2), which Node does not name: for looking and connecting, nothing is opened. */
const onlyThePath = 0o10000000;

/** `identity_conflict` when it is anything but a socket, a link to one included. */
export async function openSocket(path: string): Promise<OpenedSocket> {
	const file = await open(path, onlyThePath | constants.O_NOFOLLOW);
	if ((await file.stat()).isSocket()) return { way: `/proc/self/fd/${file.fd}`, close: () => file.close() };
	await file.close();
	throw new RouseError('identity_conflict', `${path} is no socket: something has taken its place`, {
		hint: 'power the machine off, and look at what runs in it',
	});
}
