import type { LeaseRequest } from '../../model/broker.ts';
import { type DurableRequest, type DurableState, stateVersion } from './durable-state.ts';
import { NameTable } from './names.ts';
import type { BrokerState } from './state.ts';

/** The state for the next run. Nothing is left out: {@link rehydrate} of it is the same state. */
export function dehydrate(state: BrokerState): DurableState {
	const table = new NameTable();
	const numberOrNull = (name: string | null) => (name === null ? null : table.numberOf(name));
	const { asked, rebuilding, forgottenMs, lastSeq, lastToken } = state;
	return {
		version: stateVersion,
		reporters: [...state.reporters].map(([name, { hostId, number, resources, away }]) => [
			name,
			hostId,
			number,
			[...resources].map(([kind, { total, outside }]) => [table.numberOf(kind), total, outside]),
			away && [away.sinceMs, away.seenBy],
		]),
		reduced: [...state.reporters].flatMap(([name, { resources }]) =>
			[...resources].flatMap(([kind, { reduced }]): [string, string][] =>
				reduced === undefined ? [] : [[`${name}/${kind}`, reduced]],
			),
		),
		set: [...state.set],
		staying: state.staying.map(({ host, onHost, afterReport }) => [host, table.pairs(onHost), afterReport]),
		leases: [...state.leases.values()].map(
			({ request, seq, host, token, grantedMs, maybeKnown, onHost, orphanedMs }) => [
				requestIn(table, request),
				seq,
				numberOrNull(host),
				token,
				grantedMs,
				maybeKnown,
				onHost,
				orphanedMs,
			],
		),
		waiters: [...state.waiters.values()].map(({ request, seq, reservesOn }) => [
			requestIn(table, request),
			seq,
			numberOrNull(reservesOn),
		]),
		ended: [...state.ended],
		forgottenMs,
		lastSeq,
		lastToken,
		asked: { ...asked },
		rebuilding: rebuilding && { ...rebuilding, silent: [...rebuilding.silent] },
		// Last: all of the above has put its names in.
		names: table.names,
	};
}

function requestIn(table: NameTable, request: LeaseRequest): DurableRequest {
	const { holder, step, shared, hosts, onHost, lasting, priority, deadlineMs, sinceMs, expectedMs } = request;
	return [
		holder.workflowId,
		holder.firstRunId,
		step,
		table.pairs(shared),
		hosts.map(host => table.numberOf(host)),
		table.pairs(onHost),
		lasting.map(kind => table.numberOf(kind)),
		priority,
		deadlineMs,
		sinceMs,
		expectedMs,
	];
}
