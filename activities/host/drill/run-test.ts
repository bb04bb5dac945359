import { setTimeout as delay } from 'node:timers/promises';
import type { ActivityInput } from '../../../model/activity-inputs.ts';
import { type DrillCheck, drillLimits, ownAddress } from '../../../model/drill.ts';
import type { TestResult } from '../../../model/drill-report.ts';
import { asRouseError, type ErrorCode, RouseError } from '../../../model/errors.ts';
import { isForwarded } from '../../../model/readiness.ts';
import type { Forward } from '../../../model/recovery.ts';
import { shortMessage } from '../../../model/incidents.ts';
import { type HostDependencies, hostAttempt } from '../../host-attempt.ts';
import { runCheck } from '../readiness/command.ts';
import { askByPing } from '../readiness/ping.ts';
import { askByTcp } from '../readiness/tcp.ts';
import { drilledOnHost } from './drilled-on-host.ts';
import { onSerial } from './serial.ts';
import { overSsh } from './ssh.ts';
import type { Tried } from './tried.ts';

interface Trying {
	host: HostDependencies;
	name: string;
	recoveryId: string;
	forwards: readonly Forward[];
	withinMs: number;
	signal: AbortSignal;
}

/** One test of a drill's machine, once; what it said is kept to its end, which says most. */
export const runTest = (host: HostDependencies) =>
	hostAttempt(host, async (input: ActivityInput<'runTest'>, _call, { signal }): Promise<TestResult> => {
		const { name, recoveryId, test } = input;
		const begin = performance.now();
		const done = (why: string | undefined, output: string, code: ErrorCode = 'drill_failed'): TestResult => ({
			name: test.name,
			by: test.check.by,
			passed: why === undefined,
			code: why === undefined ? null : code,
			reason: why === undefined ? null : shortMessage(why),
			output: output.slice(-drillLimits.outputLength),
			durationMs: Math.round(performance.now() - begin),
		});
		const { forwards } = await drilledOnHost(host, input, signal);
		try {
			const { why, output } = await tryIt(test.check, {
				host,
				name,
				recoveryId,
				forwards,
				withinMs: test.timeoutMs,
				signal,
			});
			return done(why, output);
		} catch (error) {
			signal.throwIfAborted();
			const { code, message } = asRouseError(error);
			// One that is started again meanwhile says nothing about the machine: the test is run once more, which it has to bear.
			if (code === 'supervisor_unreachable') throw error;
			return done(message, '', code);
		}
	});

async function tryIt(check: DrillCheck, trying: Trying): Promise<Tried> {
	const { host, name, recoveryId, forwards, withinMs, signal } = trying;
	switch (check.by) {
		case 'ping':
			return untilItComes(trying, left => askByPing(check.address, { withinMs: left, signal }));
		case 'tcp':
			return untilItComes(trying, left =>
				askByTcp(check, { greeted: isForwarded(check, forwards), withinMs: left, signal }),
			);
		case 'command': {
			const { code, tail } = await runCheck({ directory: host.checks, ...check, recovery: name }, { withinMs, signal });
			return ofExit(code, tail.join('\n'));
		}
		case 'agent': {
			const call = { recoveryId, command: check.command, timeoutMs: withinMs };
			const { exitCode, output } = await host.supervisor.agentRun(name, call, { signal });
			return ofExit(exitCode, output);
		}
		case 'serial':
			return onSerial(await host.supervisor.console(name, 'serial', signal), check, { withinMs, signal });
		case 'ssh':
			return overSsh(
				{ ...check, address: mustBeOwn(check, forwards) },
				{ keyDirectory: host.checks, withinMs, signal },
			);
		default:
			return check satisfies never;
	}
}

function ofExit(code: number, output: string): Tried {
	return { why: code === 0 ? undefined : `it ended with exit code ${code}`, output };
}

/** The key opens the original as well: it is used for the machine of the drill alone. */
function mustBeOwn({ address, port }: Extract<DrillCheck, { by: 'ssh' }>, forwards: readonly Forward[]): string {
	const own = ownAddress({ address, port }, forwards);
	if (own !== undefined) return own;
	throw new RouseError('config_invalid', `${address} port ${port} is not forwarded to this machine`, {
		hint: 'forward a port of the host to its 22, and let the test use that, by the address that it is forwarded from',
	});
}

/** Of what answers at all, at once. */
const askMs = 5_000;

/** Services come up one after the other: asked again until they are there, or the time is over. */
async function untilItComes(
	{ withinMs, signal }: Trying,
	ask: (leftMs: number) => Promise<string | undefined>,
): Promise<Tried> {
	const end = performance.now() + withinMs;
	for (;;) {
		const why = await ask(Math.max(1_000, Math.min(askMs, end - performance.now())));
		const leftMs = end - performance.now();
		if (why === undefined || leftMs <= 0) return { why, output: '' };
		await delay(Math.min(1_000, leftMs), undefined, { signal });
	}
}
