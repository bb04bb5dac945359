import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { processStartTicks } from '../../system/process-lock.ts';
import { devServerAddress } from '../../workers/temporal-server.ts';
import { namespacesOf } from './isolation.ts';
import { join } from './join.ts';

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
 * ended, since the next one will be in another namespace.
 */
export async function forward({ of, namespace, forwards }: ForwarderOptions): Promise<void> {
	const here = await namespacesOf('self');
	if (here?.net !== namespace)
		throw new RouseError('internal', `the forwarder is in ${here?.net} and not in the server's ${namespace}`);
	for (const { socket, port } of forwards) {
		await rm(socket, { force: true });
		const server = createServer(caller => join(caller, { host: devServerAddress, port }));
		server.listen(socket);
		await once(server, 'listening');
		await chmod(socket, 0o600);
	}
	while ((await processStartTicks(of.pid)) === of.startTicks) await delay(lookEveryMs);
}
