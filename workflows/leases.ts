/** How a recovery or an import gets from its broker what it needs, and gives it back: docs/architecture.md, "The broker". */
import {
	CancellationScope,
	condition,
	DeterminismViolationError,
	getExternalWorkflowHandle,
	log,
	sleep,
	workflowInfo,
} from '@temporalio/workflow';
import { type HeldLease, type Holder, type LeaseRequest, type Release, requestIdOf } from '../model/broker.ts';
import { acquireSignal, brokerWorkflowId, releaseSignal } from './broker-contracts.ts';
import { documentOf, failureOf, Interruption } from './failures.ts';
import { kindOf, type LeaseHolder, type LeaseKind, type Leases, leaseHeld, nextStep } from './lease-state.ts';
import { control } from './stubs.ts';

/** A broker that was lost does not know of those who wait: they say it again. */
const askAgainMs = 5 * 60_000;

/** Those that a full broker has must first get what they wait for. */
const backoff = { firstMs: 15_000, longestMs: 5 * 60_000 } as const;

export type MakeRequest = (asked: { holder: Holder; step: string; sinceMs: number }) => LeaseRequest;

/** The same in all runs of this workflow, also when its history is put back; another when its name is used again. */
export function holderHere(): Holder {
	const { workflowId, firstExecutionRunId } = workflowInfo();
	return { workflowId, firstRunId: firstExecutionRunId };
}

/**
 * Waits until `holder` has a lease of this kind, for days if need be; returns at once when it does. Throws
 * `lease_ended` when a person has taken its place among those that wait away, and what `onEnded` throws when the broker
 * knows its request as over, which is so only where a history was put back, or says twice that it may be.
 */
export async function hold(
	holder: LeaseHolder,
	kind: LeaseKind,
	make: MakeRequest,
	onEnded: () => void = () => {},
): Promise<HeldLease> {
	const { leases } = holder;
	for (let pauseMs: number = backoff.firstMs; ; ) {
		const held = leaseHeld(leases, kind);
		if (held) return held;
		await askAndWait(holder, kind, make);
		const { refused } = leases;
		if (refused === null) continue;
		leases.asking = leases.refused = null;
		if (refused.by === 'person') throw failureOf({ code: 'lease_ended', message: refused.message });
		if (refused.code === 'may_be_over' && (leases.doubtedMs ?? null) === null) {
			leases.doubtedMs = Date.now();
			continue;
		}
		if (refused.code !== 'broker_full') {
			onEnded();
			continue;
		}
		await holder.interruptible(() => sleep(pauseMs), { renewable: true });
		pauseMs = Math.min(pauseMs * 2, backoff.longestMs);
	}
}

/** Until there is an answer, or it is time to ask again. */
async function askAndWait(holder: LeaseHolder, kind: LeaseKind, make: MakeRequest): Promise<void> {
	const { leases } = holder;
	if (leases.asking === null) {
		leases.sinceMs ??= Date.now();
		// Kept before it is sent: what may have been granted is always given back.
		leases.asking = make({ holder: holderHere(), step: nextStep(leases, kind), sinceMs: leases.sinceMs });
		leases.wanted[kind] = (leases.wanted[kind] ?? 0) + 1;
	}
	const request = leases.asking;
	await ask(holder, request);
	const answered = () => leases.asking !== request || leases.refused !== null;
	await holder.interruptible(() => condition(answered, askAgainMs), { renewable: true });
}

/** As often as it likes: the same request waits once and is granted once. */
async function ask(holder: LeaseHolder, request: LeaseRequest): Promise<void> {
	const broker = getExternalWorkflowHandle(brokerWorkflowId);
	try {
		await holder.interruptible(() => broker.signal(acquireSignal, request));
	} catch (error) {
		if (error instanceof Interruption || error instanceof DeterminismViolationError) throw error;
		await startBroker(holder, request);
	}
}

/** There is none: it is started with this request. Where that fails another may be there when it asks again. */
async function startBroker(holder: LeaseHolder, request: LeaseRequest): Promise<void> {
	try {
		await holder.interruptible(() => control.askBroker({ request }));
	} catch (error) {
		if (error instanceof Interruption || error instanceof DeterminismViolationError) throw error;
		log.warn('no broker could be started; it is asked again', { ...documentOf(error) });
	}
}

/** What it holds and what it is asking for, of these kinds; `stays` is what its machine goes on taking up. */
export async function giveBack(
	{ leases }: LeaseHolder,
	kinds: readonly LeaseKind[],
	stays: Release['stays'] = null,
): Promise<void> {
	const releases = releasesOf(leases, kinds, stays);
	leases.held = leases.held.filter(({ request }) => !kinds.includes(kindOf(request)));
	if (leases.asking && kinds.includes(kindOf(leases.asking))) leases.asking = leases.refused = null;
	leases.sinceMs = null;
	await Promise.all(releases.map(tellRelease));
}

/** What it is only waiting for, before anything ends it: that may last for as long as its host is away. */
export async function withdraw({ leases }: LeaseHolder): Promise<void> {
	const { asking } = leases;
	if (asking === null) return;
	leases.asking = leases.refused = leases.sinceMs = null;
	await tellRelease({ requestId: requestIdOf(asking), stays: null });
}

export const everything = ['run', 'migrate'] as const;

function releasesOf(
	{ held, asking }: Leases,
	kinds: readonly LeaseKind[],
	stays: Release['stays'],
): readonly Release[] {
	const ofThese = held.filter(({ request }) => kinds.includes(kindOf(request)));
	return [
		...ofThese.map(({ request }) => ({
			requestId: requestIdOf(request),
			stays: kindOf(request) === 'run' ? stays : null,
		})),
		...(asking && kinds.includes(kindOf(asking)) ? [{ requestId: requestIdOf(asking), stays: null }] : []),
	];
}

/** To nobody when no broker is there: the next one finds out by its hosts. Cancelled with nothing. */
export async function tellRelease(release: Release): Promise<void> {
	try {
		await CancellationScope.nonCancellable(() =>
			getExternalWorkflowHandle(brokerWorkflowId).signal(releaseSignal, release),
		);
	} catch (error) {
		if (error instanceof DeterminismViolationError) throw error;
		log.info('no broker is there to give a lease back to', { requestId: release.requestId });
	}
}
