import { type CapacityReport, type HeldLease, requestIdOf } from '../../model/broker.ts';
import { adopt } from './adopt.ts';
import type { Reduced } from './events.ts';
import { end, withLease } from './requests.ts';
import type { BrokerState, Reporter } from './state.ts';

/**
 * Takes over how much there is, and leases that the host holds and nobody knows of here. Late and repeated reports change
 * nothing: what is in them may have been released since.
 */
export function report(state: BrokerState, told: CapacityReport, atMs: number): Reduced {
	// A host speaks for itself: what it says of others would be charged to them.
	const news = { ...told, held: told.held.filter(({ host }) => `host/${host}` === told.reporter) };
	if (news.number <= (state.reporters.get(news.reporter)?.number ?? 0)) return { state, effects: [] };
	const reporter = {
		hostId: news.hostId ?? null,
		number: news.number,
		resources: resourcesOf(state, news),
		away: null,
	};
	const { state: adopted, effects } = adopt(
		{
			...state,
			reporters: new Map(state.reporters).set(news.reporter, reporter),
			staying: state.staying.filter(
				({ host, afterReport }) => `host/${host}` !== news.reporter || afterReport >= news.number,
			),
			rebuilding: state.rebuilding && {
				...state.rebuilding,
				silent: state.rebuilding.silent.filter(silent => silent !== news.reporter),
			},
		},
		news.held,
		atMs,
	);
	return { state: compare(adopted, news), effects };
}

/**
 * What the host had accepted and has no longer is over there, and it takes it no second time: its release is under way,
 * or went to a broker that is lost.
 */
function compare(state: BrokerState, { reporter, held, partial }: CapacityReport): BrokerState {
	const onHost = new Set(held.map(({ request }) => requestIdOf(request)));
	const here = [...state.leases.values()].filter(({ host }) => `host/${host}` === reporter);
	const accepted = here.filter(lease => onHost.has(lease.requestId) && !lease.onHost);
	const over = partial ? [] : here.filter(lease => !onHost.has(lease.requestId) && lease.onHost);
	const next = end(
		state,
		over.map(({ requestId }) => requestId),
	);
	return accepted.reduce((all, lease) => withLease(all, { ...lease, onHost: true }), next);
}

/**
 * A dead host's last report counts on, and each grant there would cost a recovery half a minute. A word that comes late, when
 * the host has reported meanwhile, costs it the time until its next report.
 */
export function hostAway(
	state: BrokerState,
	{ host, seenBy, atMs }: { host: string; seenBy: string; atMs: number },
): BrokerState {
	const name = `host/${host}`;
	const known = state.reporters.get(name);
	if (!known || known.away) return state;
	const away = { sinceMs: atMs, seenBy };
	return { ...state, reporters: new Map(state.reporters).set(name, { ...known, away }) };
}

/** Null takes back what was set. */
export function setTotal(state: BrokerState, resource: string, total: number | null): BrokerState {
	const set = new Map(state.set);
	if (total === null) set.delete(resource);
	else set.set(resource, total);
	return { ...state, set };
}

/** What it had is unknown again. Leases on it stay until they are released. */
export function forget(state: BrokerState, reporter: string): BrokerState {
	const reporters = new Map(state.reporters);
	reporters.delete(reporter);
	const { rebuilding } = state;
	return {
		...state,
		reporters,
		set: new Map([...state.set].filter(([resource]) => !resource.startsWith(`${reporter}/`))),
		staying: state.staying.filter(({ host }) => `host/${host}` !== reporter),
		rebuilding: rebuilding && { ...rebuilding, silent: rebuilding.silent.filter(silent => silent !== reporter) },
	};
}

/**
 * A lease that was taken away by force may still run on its host, which counts it as covered: what lasts of it – memory,
 * not a number that somebody has allowed – is taken nevertheless.
 */
function resourcesOf(state: BrokerState, { resources, held }: CapacityReport): Reporter['resources'] {
	const reported = new Map(Object.entries(resources));
	for (const lease of held.filter(isOver)) {
		for (const kind of lease.request.lasting) {
			const known = reported.get(kind);
			if (known) reported.set(kind, { ...known, outside: known.outside + (lease.request.onHost[kind] ?? 0) });
		}
	}
	return reported;

	function isOver({ request }: HeldLease): boolean {
		return state.ended.has(requestIdOf(request));
	}
}
