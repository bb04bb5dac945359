import { type CapacityReport, type LeaseRequest, leaseRequestSchema, requestIdOf } from '../../model/broker.ts';
import { dehydrate } from '../../workflows/broker/dehydrate.ts';
import type { BrokerEffect, BrokerEvent, Happening } from '../../workflows/broker/events.ts';
import { reduce } from '../../workflows/broker/reduce.ts';
import { rehydrate } from '../../workflows/broker/rehydrate.ts';
import { type BrokerState, emptyBroker } from '../../workflows/broker/state.ts';

/** A broker by hand: time stands until it is moved, and what is to be done is kept. */
export class BrokerSite {
	nowMs = 1_800_000_000_000;
	state: BrokerState;
	effects: BrokerEffect[] = [];
	#reports = 0;

	/** With what each reporter has; a broker without any is rebuilding. */
	constructor(totals: Record<string, Record<string, number>> = {}) {
		this.state = emptyBroker(this.nowMs, Object.keys(totals));
		for (const [reporter, resources] of Object.entries(totals)) this.report(reporter, resources);
		if (Object.keys(totals).length === 0) return;
		this.happens({ type: 'listed', held: [] });
		this.tick();
	}

	/** Every event as it would arrive: by way of JSON. What is to be done because of it is returned. */
	happens(happening: Happening): BrokerEffect[] {
		const event: BrokerEvent = { ...happening, atMs: this.nowMs };
		const { state, effects } = reduce(this.state, event);
		this.state = state;
		this.effects.push(...effects);
		return [...effects];
	}

	report(reporter: string, totals: Record<string, number>, more: Partial<CapacityReport> = {}): BrokerEffect[] {
		const resources = Object.fromEntries(Object.entries(totals).map(([kind, total]) => [kind, { total, outside: 0 }]));
		this.#reports += 1;
		const ofHost = reporter.startsWith('host/') ? { hostId: hostIdOf(reporter) } : {};
		return this.happens({
			type: 'report',
			report: { reporter, ...ofHost, number: this.#reports, resources, held: [], ...more },
		});
	}

	acquire(...requests: LeaseRequest[]): void {
		for (const request of requests) this.happens({ type: 'acquire', request });
	}

	/** What is granted now: `machine` or `machine@host` each. */
	tick(afterMs = 0): string[] {
		this.nowMs += afterMs;
		return this.happens({ type: 'tick' }).flatMap(effect =>
			effect.type === 'grant' ? [nameOf(effect.requestId) + (effect.host === null ? '' : `@${effect.host}`)] : [],
		);
	}

	release(request: LeaseRequest): void {
		this.happens({ type: 'release', release: { requestId: requestIdOf(request), stays: null } });
	}

	waiting(): string[] {
		return [...this.state.waiters.keys()].map(nameOf);
	}

	held(): string[] {
		return [...this.state.leases.keys()].map(nameOf);
	}

	continueAsNew(): void {
		const handedOver: unknown = JSON.parse(JSON.stringify(dehydrate(this.state)));
		this.state = rehydrate(handedOver);
	}
}

/** The same for the same name. */
export function hostIdOf(reporter: string): string {
	const digits = Buffer.from(reporter).toString('hex').slice(-12).padStart(12, '0');
	return `00000000-0000-4000-8000-${digits}`;
}

/** A request for `machine`, valid as it would have to be on its way. */
export function leaseRequest(machine: string, changes: Partial<LeaseRequest> = {}): LeaseRequest {
	return leaseRequestSchema.parse({
		holder: { workflowId: `recovery/${machine}`, firstRunId: 'a' },
		step: 'run',
		shared: {},
		hosts: [],
		onHost: {},
		lasting: [],
		priority: 3,
		deadlineMs: null,
		sinceMs: 1_800_000_000_000,
		expectedMs: 60_000,
		...changes,
	});
}

/** `web01` of `recovery/web01/a/run`. */
export function nameOf(requestId: string): string {
	return requestId.split('/')[1] ?? requestId;
}
