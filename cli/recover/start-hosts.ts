/** Hosts that a recovery may run on, as `--host` names them. */
import type { AskableHost } from '../../client/host-elsewhere.ts';
import { idElsewhere, type PoolHost } from '../../client/requests.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import type { Context } from '../terminal/command.ts';
import type { Session } from './session.ts';

/** A host, and who is asked about it. */
export interface AskedHost extends PoolHost {
	host: AskableHost;
}

/** One that answered, or the first when none did. */
export function firstThatAnswers(hosts: readonly AskedHost[]): AskedHost & { view: HostView } {
	for (const asked of hosts) if (asked.view) return { ...asked, view: asked.view };
	throw new RouseError('worker_missing', 'none of the hosts answers', { hint: 'look whether they run' });
}

/** Asks them all at once. One of another machine that does not answer is warned of; this installation's own has to. */
export async function askPool(
	names: readonly [string, ...string[]],
	{ session, context }: { session: Session; context: Context },
): Promise<[AskedHost, ...AskedHost[]]> {
	const [first, ...others] = names;
	const ask = (name: string) => askOne(name, { session, context });
	const [asked, ...rest] = await Promise.all([ask(first), ...others.map(ask)]);
	return [asked, ...rest];
}

async function askOne(name: string, { session, context }: { session: Session; context: Context }): Promise<AskedHost> {
	const { signal } = context;
	const hostId = idElsewhere(session.config, name);
	if (hostId === undefined) {
		const view = await session.supervisor.host({ signal });
		return { place: { host: view.name, hostId: view.hostId }, host: session.supervisor, view };
	}
	const place = { host: name, hostId };
	const host = await session.hostElsewhere({ name, hostId });
	try {
		return { place, host, view: await host.host({ signal }) };
	} catch (error) {
		signal.throwIfAborted();
		context.output.warn(`what host ${name} has was not looked at: ${asRouseError(error).message}`);
		return { place, host, view: null };
	}
}
