import { once } from 'node:events';
import { chmod, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { processStartTicks } from '../../system/process-lock.ts';
import { devServerAddress } from '../../workers/temporal-server.ts';
import { namespacesOf } from './isolation.ts';
import { splice } from './splice.ts';

export const forwarderOptionsSchema = z.strictObject({
	/** The server it belongs to. */
	of: z.strictObject({ pid: z.int(), startTicks: z.string() }),
	/** As /proc names it: in another one somebody else would answer. */
	namespace: z.string(),
	forwards: z.array(z.strictObject({ socket: z.string(), port: z.int() })),
});
export type ForwarderOptions = z.infer<typeof forwarderOptionsSchema>;

const lookEveryMs = 250;

/**
 * In the network namespace of a Temporal server: Unix sockets of mode 0600 that lead to its ports. Returns when that server has
 * ended, since the next one will be in another namespace, and when a socket has lost its name, since nobody finds it then:
 * what cleans /tmp takes a socket for dead that listens in another namespace.
 */
export async function forward({ of, namespace, forwards }: ForwarderOptions): Promise<void> {
	const here = await namespacesOf('self');
	if (here?.net !== namespace)
		throw new RouseError('internal', `the forwarder is in ${here?.net} and not in the server's ${namespace}`);
	const isThere = async () => (await processStartTicks(of.pid)) === of.startTicks;
	if (!(await isThere())) return; // the pid may be another's by now, and so the namespace
	const names: { socket: string; inode: bigint }[] = [];
	for (const { socket, port } of forwards) {
		await rm(socket, { force: true });
		const server = createServer(caller => splice(caller, { host: devServerAddress, port }));
		server.listen(socket);
		await once(server, 'listening');
		await chmod(socket, 0o600);
		names.push({ socket, inode: (await stat(socket, { bigint: true })).ino });
	}
	while ((await isThere()) && (await areNamed(names))) await delay(lookEveryMs);
}

async function areNamed(names: readonly { socket: string; inode: bigint }[]): Promise<boolean> {
	for (const { socket, inode } of names) {
		const found = await stat(socket, { bigint: true }).catch(() => undefined);
		if (found?.ino !== inode) return false;
	}
	return true;
}
