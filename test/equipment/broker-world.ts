import assert from 'node:assert/strict';
import { type HeldLease, type LeaseRequest, requestIdOf } from '../../model/broker.ts';
import type { BrokerEffect, Happening } from '../../workflows/broker/events.ts';
import { emptyBroker } from '../../workflows/broker/state.ts';
import { Random } from './seeds/random.ts';
import { BrokerSite } from './broker-site.ts';

/** Messages take up to so many steps, so a later one may come before an earlier one. */
const longestWay = 4;
const stepMs = 10_000;

export interface Plan {
	request: LeaseRequest;
	/** Steps: when it asks, and how long it holds. */
	asksAt: number;
	holds: number;
}

interface Client extends Plan {
	state: 'new' | 'waiting' | 'holding' | 'over';
	/** Of its only grant. */
	lease: HeldLease | null;
	endsAt: number;
}

/**
 * Recoveries and hosts around a broker. Their messages are lost to no one, but come late, twice and in any order; the
 * broker continues as new, and is lost with all that it knew, by chance.
 */
export class BrokerWorld {
	readonly site = new BrokerSite();
	readonly clients: Client[];
	readonly #totals: Record<string, Record<string, number>>;
	readonly #random: Random;
	#way: { happening: Happening; at: number }[] = [];
	#step = 0;
	#reports = 0;
	#listAt: number | null = longestWay;
	/** Whoever asked has been heard, and not by a broker that was lost since. */
	readonly #heard = new Set<string>();
	/** By request, of this broker. */
	readonly #tokens = new Map<string, number>();

	constructor(plans: readonly Plan[], totals: Record<string, Record<string, number>>, seed: number) {
		this.clients = plans.map(plan => ({ ...plan, state: 'new', lease: null, endsAt: 0 }));
		this.#totals = totals;
		this.#random = new Random(seed);
		this.site.state = emptyBroker(this.site.nowMs, Object.keys(totals));
	}

	get over(): boolean {
		return this.clients.every(({ state }) => state === 'over') && this.#way.length === 0;
	}

	/** @param trouble whether the broker may be lost and messages be repeated in this step */
	step(trouble: boolean): void {
		this.#step += 1;
		this.site.nowMs += stepMs;
		if (trouble && this.#roll(60)) this.#lose();
		if (this.#roll(6)) this.site.continueAsNew();
		for (const client of this.clients) this.#live(client, trouble);
		for (const reporter of Object.keys(this.#totals)) if (this.#roll(4)) this.#report(reporter, trouble);
		if (trouble && this.#roll(8)) this.#sayAway();
		if (this.#listAt === this.#step) this.#send({ type: 'listed', held: this.#held() }, trouble);
		this.#deliver();
		this.#tick();
	}

	#live(client: Client, trouble: boolean): void {
		const { request } = client;
		if (client.state === 'new' && this.#step >= client.asksAt) client.state = 'waiting';
		// Asked anew from time to time: the broker may be another one.
		if (client.state === 'waiting' && (this.#step === client.asksAt || this.#roll(5))) {
			this.#send({ type: 'acquire', request }, trouble);
		}
		if (client.state === 'holding' && this.#step >= client.endsAt) {
			client.state = 'over';
			this.#send({ type: 'release', release: { requestId: requestIdOf(request), stays: null } }, trouble);
		}
	}

	#report(reporter: string, trouble: boolean): void {
		const resources = Object.fromEntries(
			Object.entries(this.#totals[reporter] ?? {}).map(([kind, total]) => [kind, { total, outside: 0 }]),
		);
		this.#reports += 1;
		const held = this.#held().filter(({ host }) => `host/${host}` === reporter);
		this.#send({ type: 'report', report: { reporter, number: this.#reports, resources, held } }, trouble);
	}

	/** Of a host that is there: a recovery was too impatient, or its word comes late. */
	#sayAway(): void {
		const hosts = Object.keys(this.#totals).filter(reporter => reporter.startsWith('host/'));
		const host = hosts[this.#random.below(hosts.length)]?.slice('host/'.length);
		if (host !== undefined) this.#send({ type: 'host-away', host, seenBy: 'recovery/m0' }, true);
	}

	#held(): HeldLease[] {
		return this.clients.flatMap(({ state, lease }) => (state === 'holding' && lease ? [lease] : []));
	}

	#send(happening: Happening, trouble: boolean): void {
		const copies = trouble && this.#roll(4) ? 2 : 1;
		for (let copy = 0; copy < copies; copy += 1) {
			this.#way.push({ happening, at: this.#step + (trouble ? this.#random.below(longestWay) : 0) });
		}
	}

	#deliver(): void {
		const due = this.#way.filter(({ at }) => at <= this.#step);
		this.#way = this.#way.filter(({ at }) => at > this.#step);
		for (const { happening } of due) {
			if (happening.type === 'acquire') this.#heard.add(requestIdOf(happening.request));
			this.#take(this.site.happens(happening));
		}
	}

	#tick(): void {
		const before = new Set(this.site.state.leases.keys());
		this.#take(this.site.happens({ type: 'tick' }));
		const granted = [...this.site.state.leases.values()].filter(({ requestId }) => !before.has(requestId));
		this.#checkCapacity(granted.map(({ requestId }) => requestId));
		for (const { host, requestId } of granted) {
			const away = this.site.state.reporters.get(`host/${host}`)?.away ?? null;
			assert.equal(away, null, `${requestId} is granted on ${host}, which is away, in step ${this.#step}`);
		}
		for (const { request, state } of this.clients) {
			const requestId = requestIdOf(request);
			if (state !== 'waiting' || !this.#heard.has(requestId)) continue;
			assert.ok(this.site.state.waiters.has(requestId), `${requestId} is lost in step ${this.#step}`);
		}
	}

	/** What the broker says is heard at once; what is late is the way to it. */
	#take(effects: BrokerSite['effects']): void {
		for (const effect of effects) {
			if (effect.type === 'grant') this.#granted(effect);
			if (effect.type === 'ask-holders') {
				const closed = this.clients.filter(({ state }) => state === 'over').map(({ request }) => request.holder);
				const holders = effect.holders.filter(({ workflowId }) => closed.some(each => each.workflowId === workflowId));
				this.#send({ type: 'holders-closed', holders }, true);
			}
			if (effect.type !== 'ask-host') continue;
			const held = new Set(this.#held().map(({ request }) => requestIdOf(request)));
			for (const requestId of effect.requestIds.filter(each => !held.has(each))) {
				this.#send({ type: 'host-confirmed', host: effect.host, requestId }, true);
			}
		}
	}

	#granted({ requestId, host, token }: BrokerEffect & { type: 'grant' }): void {
		const client = this.clients.find(({ request }) => requestIdOf(request) === requestId);
		assert.ok(client, requestId);
		assert.equal(this.#tokens.get(requestId) ?? token, token, `${requestId} is granted twice`);
		this.#tokens.set(requestId, token);
		if (client.state === 'holding')
			assert.equal(client.lease?.token, token, `${requestId} is granted while it is held`);
		// A workflow that is closed takes no message; one that is open gives back what it does not want.
		if (client.state === 'over') {
			const release = { requestId, stays: null };
			this.#send(
				this.#roll(2) ? { type: 'undelivered', requestId, token, once: this.#roll(2) } : { type: 'release', release },
				true,
			);
		}
		if (client.state !== 'waiting') return;
		client.state = 'holding';
		client.lease = { request: client.request, host, token };
		client.endsAt = this.#step + client.holds;
	}

	/** By what the clients hold, not by what the broker believes. */
	#checkCapacity(granted: readonly string[]): void {
		if (granted.length === 0) return;
		const used = new Map<string, number>();
		for (const { request, host } of this.#held()) {
			const onHost = Object.entries(request.onHost).map(([kind, weight]) => [`host/${host}/${kind}`, weight] as const);
			for (const [resource, weight] of [...Object.entries(request.shared), ...onHost]) {
				used.set(resource, (used.get(resource) ?? 0) + weight);
			}
		}
		for (const [resource, sum] of used) {
			const slash = resource.lastIndexOf('/');
			const total = this.#totals[resource.slice(0, slash)]?.[resource.slice(slash + 1)] ?? 0;
			assert.ok(sum <= total, `${sum} of ${total} ${resource} after ${granted.join()} in step ${this.#step}`);
		}
	}

	/** All is gone but what is on its way. The list is asked for when nothing of the lost broker is on its way any more. */
	#lose(): void {
		this.site.state = emptyBroker(this.site.nowMs, Object.keys(this.#totals));
		this.#heard.clear();
		// An answer to the lost one.
		this.#way = this.#way.filter(({ happening }) => happening.type !== 'listed');
		// A request that it hears before the release which overtakes it is granted once more, to nobody.
		this.#tokens.clear();
		this.#listAt = this.#step + longestWay;
	}

	/** Once in so many times. */
	#roll(sides: number): boolean {
		return this.#random.below(sides) === 0;
	}
}
