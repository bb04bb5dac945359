import type { Run } from './run.ts';

/**
 * Waits for what the recovery needs to run: all of it at once, or nothing. Today that is a place on the host, counted by
 * its supervisor, which answers `host_busy` while it is full; the activity's retries are the waiting. A broker of a site
 * takes the same place among the steps: granted when this returns, given back by `undo` and by the host's finalize.
 */
export async function acquireLease(run: Run): Promise<void> {
	if (run.isDone('reserve')) return;
	run.enter('waiting');
	await run.once('reserve', input => run.host.reserve({ ...input, request: run.request }), { renewable: true });
}
