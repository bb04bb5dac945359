import { brokerLimits, type LeaseRequest } from '../../model/broker.ts';
import { Account } from './account.ts';
import type { BrokerState, Lease } from './state.ts';

const shortestOverdueMs = 60_000;

/** Every lease takes up one: the broker's own room. */
const leaseRoom = 'broker/leases';

/** Accounts, and what is wanted of each in the same place: made once, since a round asks some ten thousand times. */
export interface Demands {
	readonly accounts: readonly Account[];
	readonly weights: readonly number[];
}

/** All accounts as they are at one moment, charged with the leases; who waits is charged in turn. */
export class Ledger {
	readonly nowMs: number;
	readonly #state: BrokerState;
	readonly #accounts = new Map<string, Account>();
	/** By kinds, then by host. */
	readonly #onHosts = new Map<string, Map<string, readonly Account[]>>();

	constructor(state: BrokerState, nowMs: number) {
		this.nowMs = nowMs;
		this.#state = state;
		const leases = [...state.leases.values()].map(lease => ({ lease, endMs: this.expectedEndMs(lease) }));
		for (const { lease, endMs } of leases.toSorted((one, other) => one.endMs - other.endMs)) {
			this.charge(lease.request, lease.host, endMs);
		}
	}

	/** By the holder's estimate; one that it has outlived is taken to be wrong by another tenth. */
	expectedEndMs({ grantedMs, request: { expectedMs } }: Lease): number {
		const expected = grantedMs + expectedMs;
		return expected > this.nowMs ? expected : this.nowMs + Math.max(shortestOverdueMs, Math.ceil(expectedMs / 10));
	}

	shared({ shared }: LeaseRequest): Demands {
		return {
			accounts: [leaseRoom, ...Object.keys(shared)].map(resource => this.account(resource)),
			weights: [1, ...Object.values(shared)],
		};
	}

	/** Of one host after another. */
	onHost({ onHost }: LeaseRequest): (host: string) => Demands {
		const [kinds, weights] = [Object.keys(onHost), Object.values(onHost)];
		const key = kinds.join();
		const hosts = this.#onHosts.get(key) ?? new Map<string, readonly Account[]>();
		this.#onHosts.set(key, hosts);
		return host => {
			let accounts = hosts.get(host);
			if (!accounts) {
				accounts = kinds.map(kind => this.account(`host/${host}/${kind}`));
				hosts.set(host, accounts);
			}
			return { accounts, weights };
		};
	}

	charge(request: LeaseRequest, host: string | null, untilMs: number): void {
		const shared = this.shared(request);
		shared.accounts.forEach((account, index) => account.charge(shared.weights[index] ?? 0, untilMs));
		if (host === null) return;
		const { accounts, weights } = this.onHost(request)(host);
		Object.keys(request.onHost).forEach((kind, index) => {
			const weight = weights[index] ?? 0;
			if (request.lasting.includes(kind)) accounts[index]?.chargeForGood(weight);
			else accounts[index]?.charge(weight, untilMs);
		});
	}

	account(resource: string): Account {
		let account = this.#accounts.get(resource);
		if (!account) {
			account = new Account(resource, capacityOf(this.#state, resource));
			this.#accounts.set(resource, account);
		}
		return account;
	}
}

/**
 * What leases may take: the total, less what is taken by what no lease covers. Null when nobody has said it, and of a host that
 * is away, whatever was said or set.
 */
function capacityOf(state: BrokerState, resource: string): number | null {
	if (resource === leaseRoom) return brokerLimits.leases;
	const slash = resource.lastIndexOf('/');
	const [reporter, kind] = [resource.slice(0, slash), resource.slice(slash + 1)];
	const known = state.reporters.get(reporter);
	if (known?.away) return null;
	const reported = known?.resources.get(kind);
	const total = state.set.get(resource) ?? reported?.total;
	if (total === undefined) return null;
	let outside = reported?.outside ?? 0;
	for (const { host, onHost } of state.staying) if (reporter === `host/${host}`) outside += onHost[kind] ?? 0;
	return total - outside;
}
