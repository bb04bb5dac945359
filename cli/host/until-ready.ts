import { connectTemporal } from '../../client/connection.ts';
import { untilHostPolls } from '../../client/host-polls.ts';
import { RouseError } from '../../model/errors.ts';
import type { Installation } from '../../system/installation.ts';

interface Wait {
	timeoutMs: number;
	/** What is told when nothing comes. */
	otherwise: string;
	/** Where to look then. */
	look: string;
	signal: AbortSignal;
}

/** Comes back when a worker of a host that was set up takes work from Temporal; `worker_missing` when none has in time. */
export async function untilReady(
	installation: Installation,
	hostId: string,
	{ timeoutMs, otherwise, look, signal }: Wait,
): Promise<void> {
	const temporal = await connectTemporal(installation);
	try {
		await untilHostPolls(temporal, hostId, { timeoutMs, signal });
	} catch (cause) {
		if (!(cause instanceof RouseError) || cause.code !== 'timeout') throw cause;
		throw new RouseError('worker_missing', `${otherwise}: ${cause.message}`, {
			hint: `look at ${look}, and at what is between it and Temporal; then give the command again`,
			cause,
		});
	} finally {
		await temporal.close();
	}
}
