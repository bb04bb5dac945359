import * as z from 'zod';
import { type LeaseRequest, leaseRequestSchema, requestIdOf } from '../../model/broker.ts';
import { RouseError } from '../../model/errors.ts';
import { type DurableRequest, type DurableState, durableStateSchema, stateVersion } from './durable-state.ts';
import { nameAt, weightsAt } from './names.ts';
import type { BrokerState, Reported } from './state.ts';

/**
 * The state that an earlier run has handed over. One of a newer version is refused whole: what it has more would be lost
 * with the next run.
 */
export function rehydrate(handedOver: unknown): BrokerState {
	const version = z.looseObject({ version: z.int() }).safeParse(handedOver).data?.version;
	if (version !== stateVersion) {
		throw new RouseError(
			'input_invalid',
			`the broker's state has version ${version}, this worker knows ${stateVersion}`,
			{
				hint: 'Let a worker of the newer version go on with it.',
			},
		);
	}
	const parsed = durableStateSchema.safeParse(handedOver);
	if (!parsed.success) {
		throw new RouseError('input_invalid', `the broker's state cannot be read: ${z.prettifyError(parsed.error)}`);
	}
	return stateOf(parsed.data);
}

function stateOf(durable: DurableState): BrokerState {
	const { names, lastSeq, lastToken, asked, rebuilding } = durable;
	const reducedBy = new Map(durable.reduced);
	const reported = (resource: string, total: number, outside: number): Reported => {
		const reduced = reducedBy.get(resource);
		return { total, outside, ...(reduced === undefined ? {} : { reduced }) };
	};
	const nameOrNull = (number: number | null) => (number === null ? null : nameAt(names, number));
	return {
		reporters: new Map(
			durable.reporters.map(([name, hostId, number, resources, away]) => [
				name,
				{
					hostId,
					number,
					resources: new Map(
						resources.map(([kind, total, outside]) => {
							const called = nameAt(names, kind);
							return [called, reported(`${name}/${called}`, total, outside)];
						}),
					),
					away: away && { sinceMs: away[0], seenBy: away[1] },
				},
			]),
		),
		set: new Map(durable.set),
		staying: durable.staying.map(([host, pairs, afterReport]) => ({
			host,
			onHost: weightsAt(names, pairs),
			afterReport,
		})),
		leases: new Map(
			durable.leases.map(([fields, seq, host, token, grantedMs, maybeKnown, onHost, orphanedMs]) => {
				const request = requestOf(names, fields);
				const requestId = requestIdOf(request);
				return [
					requestId,
					{ requestId, request, seq, host: nameOrNull(host), token, grantedMs, maybeKnown, onHost, orphanedMs },
				];
			}),
		),
		waiters: new Map(
			durable.waiters.map(([fields, seq, reservesOn]) => {
				const request = requestOf(names, fields);
				const requestId = requestIdOf(request);
				return [requestId, { requestId, request, seq, reservesOn: nameOrNull(reservesOn) }];
			}),
		),
		ended: new Map(durable.ended),
		forgottenMs: durable.forgottenMs,
		lastSeq,
		lastToken,
		asked,
		rebuilding,
	};
}

/** Parsed once more as a whole: names by number could make anything of it. */
function requestOf(names: readonly string[], fields: DurableRequest): LeaseRequest {
	const [workflowId, firstRunId, step, shared, hosts, onHost, lasting, priority, deadlineMs, sinceMs, expectedMs] =
		fields;
	const parsed = leaseRequestSchema.safeParse({
		holder: { workflowId, firstRunId },
		step,
		shared: weightsAt(names, shared),
		hosts: hosts.map(number => nameAt(names, number)),
		onHost: weightsAt(names, onHost),
		lasting: lasting.map(number => nameAt(names, number)),
		priority,
		deadlineMs,
		sinceMs,
		expectedMs,
	});
	if (!parsed.success) {
		throw new RouseError('input_invalid', `a request in the broker's state: ${z.prettifyError(parsed.error)}`);
	}
	return parsed.data;
}
