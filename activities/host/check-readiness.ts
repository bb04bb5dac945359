import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { ActivityInput } from '../../model/activity-inputs.ts';
import { asRouseError } from '../../model/errors.ts';
import { shortMessage } from '../../model/incidents.ts';
import type { ReadinessAnswer } from '../../model/readiness.ts';
import { type HostDependencies, hostAttempt } from '../host-attempt.ts';
import { askAgent } from './readiness/agent.ts';
import { askByCommand } from './readiness/command.ts';
import { askByPing } from './readiness/ping.ts';
import { askByTcp } from './readiness/tcp.ts';

type Input = ActivityInput<'checkReadiness'>;

/** Why the machine is not ready at this look; undefined when it is. */
type Objection = ReadinessAnswer | undefined;

/**
 * Asks a machine until it is ready or the time is over, also over the deaths of workers: its time runs from the first
 * attempt on. Only a person ends what is amiss, so nothing but the end of the recovery on this host ends it earlier.
 */
export const checkReadiness = (host: HostDependencies, { everyMs = 2_000 }: { everyMs?: number } = {}) =>
	hostAttempt(host, async (input: Input, _call, { signal, report }): Promise<ReadinessAnswer> => {
		const end = performance.now() + input.timeoutMs - goneMs();
		for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, everyMs)) {
			const objection = await look(host, input, { signal, leftMs: Math.max(1_000, end - performance.now()) });
			if (objection === undefined) return { ready: true, code: null, reason: null };
			report({ reason: objection.reason });
			const leftMs = end - performance.now();
			if (leftMs <= 0 || objection.code === 'recovery_unknown') return objection;
			await delay(Math.min(waitMs, leftMs), undefined, { signal });
		}
	});

/** By the server's clock alone. */
function goneMs(): number {
	const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = Context.current().info;
	return Math.max(0, currentAttemptScheduledTimestampMs - scheduledTimestampMs);
}

/** One look. Whatever stands in its way is an objection: what is away may be back at the next. */
async function look(
	host: HostDependencies,
	input: Input,
	{ signal, leftMs }: { signal: AbortSignal; leftMs: number },
): Promise<Objection> {
	try {
		const { recoveryId, power } = await host.supervisor.recovery(input.name, { signal });
		if (recoveryId !== input.recoveryId) return notYet('recovery_unknown', 'its machine is not on this host');
		if (power !== 'on') return notYet('not_ready', `the machine is ${power}`);
		const why = await ask(host, input, { signal, leftMs });
		return why === undefined ? undefined : notYet('not_ready', why);
	} catch (error) {
		signal.throwIfAborted();
		const { code, message } = asRouseError(error);
		return notYet(code, message);
	}
}

/** Why it is not ready; undefined when it is. */
async function ask(
	host: HostDependencies,
	{ name, check, forwarded }: Input,
	{ signal, leftMs }: { signal: AbortSignal; leftMs: number },
): Promise<string | undefined> {
	const withinMs = Math.min(leftMs, check.by === 'command' ? commandMs : askMs);
	if (check.by === 'agent') return askAgent(host.supervisor, name, signal);
	if (check.by === 'ping') return askByPing(check.address, { withinMs, signal });
	if (check.by === 'tcp') return askByTcp(check, { greeted: forwarded, withinMs, signal });
	return askByCommand({ directory: host.checks, ...check, recovery: name }, { withinMs, signal });
}

/** What answers at all does so at once; a person's program may have more to do. */
const askMs = 5_000;
const commandMs = 60_000;

function notYet(code: ReadinessAnswer['code'], reason: string): ReadinessAnswer {
	return { ready: false, code, reason: shortMessage(reason) };
}
