import { once } from 'node:events';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { openSocket } from '../../system/open-socket.ts';
import { takeRunDirectory } from './run-directory.ts';

/** Connects to a console that QEMU offers on a Unix socket. `signal` counts until it is connected. */
export async function openConsole(path: string, signal: AbortSignal | undefined): Promise<Duplex> {
	signal?.throwIfAborted();
	await takeRunDirectory(dirname(path));
	const found = await openSocket(path).catch((cause: unknown) => {
		throw isErrno(cause, 'ENOENT') ? noConsole(cause) : cause;
	});
	const socket = createConnection(found.way);
	try {
		await once(socket, 'connect', signal ? { signal } : {});
		return socket;
	} catch (cause) {
		socket.destroy();
		signal?.throwIfAborted();
		if (isErrno(cause, 'ECONNREFUSED')) throw noConsole(cause);
		const message = cause instanceof Error ? cause.message : String(cause);
		throw new RouseError('hypervisor_failed', `the console at ${path} cannot be reached: ${message}`, { cause });
	} finally {
		await found.close();
	}
}

export function noConsole(cause?: unknown): RouseError {
	return new RouseError('phase_wrong', 'the machine has no such console now: it is off, or QEMU was built without it', {
		cause,
	});
}
