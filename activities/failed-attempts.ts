import type { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, ActivityInterceptors } from '@temporalio/worker';
import * as z from 'zod';
import type { Supervisor } from './host-attempt.ts';

/** A log entry is not worth holding back the failure it is about. */
const recordTimeoutMs = 2_000;

const stepInputSchema = z.object({ name: z.string(), recoveryId: z.uuid(), generation: z.int().min(0) });

/**
 * Temporal's history keeps only the last failure of an activity, so every failed attempt on a host is written to the
 * host's incident log as well. What cannot be written is in the worker's log: the SDK logs each failed attempt by itself.
 */
export function recordFailedAttempts(supervisor: Supervisor): (context: Context) => ActivityInterceptors {
	return ({ info, log }) => {
		const inbound: ActivityInboundCallsInterceptor = {
			async execute(input, next) {
				try {
					return await next(input);
				} catch (error) {
					const step = stepInputSchema.safeParse(input.args[0]).data;
					if (step && isFailure(error)) {
						// Without the attempt's number, so that the same again is counted and not one more.
						const message = `${info.activityType}: ${error.message}`;
						const { name, ...call } = step;
						await supervisor
							.step(name, 'incident', { ...call, kind: 'attempt_failed', message }, { timeoutMs: recordTimeoutMs })
							.catch((reason: unknown) => log.warn('failed attempt is not in the incident log', { error: reason }));
					}
					throw error;
				}
			},
		};
		return { inbound };
	};
}

/** A queue in front of a full host, a cancellation and a worker that ends in order are no failures. */
function isFailure(error: unknown): error is Error {
	if (!(error instanceof Error) || error instanceof CancelledFailure) return false;
	if (!(error instanceof ApplicationFailure)) return true;
	return error.category !== ApplicationFailureCategory.BENIGN && error.type !== 'interrupted';
}
