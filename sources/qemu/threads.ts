import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { Monitor } from './monitor.ts';

const threadsSchema = z.array(z.object({ id: z.string() }));
const versionSchema = z.object({ qemu: z.object({ major: z.int(), minor: z.int() }) });

/** From then on a connection is closed by the main thread, whichever thread serves it: `nbd_trip` of nbd/server.c. */
const firstSafe = 9;

/**
 * Seen with 7.2: a machine whose disk has a thread of its own dies (`nbd_blockdev_client_closed: Assertion`) when a client of its NBD
 * server goes, however it goes. No backup is worth that.
 */
export async function mustOutliveReaders(monitor: Pick<Monitor, 'ask'>): Promise<void> {
	const { major, minor } = (await monitor.ask('query-version', versionSchema)).qemu;
	if (major >= firstSafe) return;
	const threads = await monitor.ask('query-iothreads', threadsSchema);
	if (threads.length === 0) return;
	const names = threads.map(({ id }) => id).join(', ');
	throw new RouseError('source_invalid', `QEMU ${major}.${minor} with an iothread (${names}) may die when it is read`, {
		hint: `use QEMU ${firstSafe}.0 or newer, or start this machine without iothread`,
	});
}
