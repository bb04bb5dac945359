import * as z from 'zod';
import { readBatch } from '../../../client/batch/documents.ts';
import { RouseError } from '../../../model/errors.ts';
import { SupervisorClient } from '../../../supervisor/client.ts';
import { waitFor } from '../../../system/wait.ts';
import type { Session } from '../../recover/session.ts';
import { findLeftovers } from '../leftovers.ts';
import type { DemoHosts } from './hosts.ts';

/** Discards the batch, removes machines that were finished before, and looks for what is left: nothing, or it throws. */
export async function throwAway(
	session: Session,
	{ installation, simulated, rouse }: DemoHosts,
	signal: AbortSignal,
): Promise<{ discarded: number; removed: number }> {
	await rouse.run(z.looseObject({}), ...'batch discard site --confirm site --reason tried'.split(' '));
	const { items } = await readBatch(session, 'site');
	const finished = items.filter(({ phase }) => phase === 'finished');
	const discarded = items.filter(({ phase }) => phase === 'discarded');
	if (finished.length + discarded.length !== items.length)
		throw new RouseError(
			'machine_failed',
			'the batch was discarded, and some of its machines are neither that nor finished',
		);
	const supervisor = SupervisorClient.of(simulated);
	for (const { name } of finished) await supervisor.removeMachine(name, undefined, { signal });
	for (const { name, recoveryId } of items)
		for (const home of [installation, simulated]) await mustBeGone(home, name, recoveryId ?? '');
	await waitFor('the broker to have all leases back', async () => (await session.broker.view()).leases.length === 0, {
		timeoutMs: 20_000,
		everyMs: 200,
		signal,
	});
	return { discarded: discarded.length, removed: finished.length };
}

async function mustBeGone(home: DemoHosts['installation'], name: string, recoveryId: string): Promise<void> {
	const { processes, sockets, files } = await findLeftovers(home, name, recoveryId);
	const all = [...processes, ...sockets, ...files];
	if (all.length > 0)
		throw new RouseError('machine_failed', `${name} was thrown away and left behind: ${all.join(', ')}`);
}
