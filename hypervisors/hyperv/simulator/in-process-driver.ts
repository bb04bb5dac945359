import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../../model/errors.ts';
import type { CallOptions } from '../../contract.ts';
import type { Driver } from '../driver/driver.ts';
import type { AnswerOf, OperationName, RequestOf } from '../driver/requests.ts';
import { timeoutsMs } from '../driver/timeouts.ts';
import type { DriverFailure } from '../driver/wire.ts';
import { SessionDropped } from './faults.ts';
import type { WindowsHost } from './windows-host.ts';

/**
 * The driver on a simulated host without a session between them. `host` is asked each time: after a boot it is another one.
 * What is given up goes on at the host, as behind a session that is lost.
 */
export function inProcessDriver(
	host: () => WindowsHost,
	errorOf: (operation: string, failure: DriverFailure) => RouseError,
): Driver {
	async function ask<Name extends OperationName>(
		name: Name,
		request: RequestOf<Name>,
		{ signal, timeoutMs = timeoutsMs[name] }: CallOptions & { timeoutMs?: number } = {},
	): Promise<AnswerOf<Name>> {
		signal?.throwIfAborted();
		const ended = new AbortController();
		const until = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
		const patience = delay(timeoutMs, undefined, { signal: until }).then(() => {
			throw new RouseError('hypervisor_stuck', `${name}: no answer within ${timeoutMs} ms`);
		});
		try {
			const answer = await Promise.race([host().answer(name, request), patience]);
			if (answer.ok) return answer.result;
			throw errorOf(name, answer.error);
		} catch (error) {
			signal?.throwIfAborted();
			if (!(error instanceof SessionDropped)) throw error;
			throw new RouseError('hypervisor_failed', `${name}: the session to the host broke`, { cause: error });
		} finally {
			patience.catch(() => undefined);
			ended.abort();
		}
	}
	return { ask };
}
