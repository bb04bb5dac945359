import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';

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
