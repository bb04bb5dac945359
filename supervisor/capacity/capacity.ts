import { type CapacityReport, type HeldLease, requestIdOf } from '../../model/broker.ts';
import { RouseError } from '../../model/errors.ts';
import { loadConfig, makeIdentity, places } from '../../system/installation.ts';
import type { Pace } from '../pace/pace.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import type { Registry } from '../recovery/registry.ts';
import { accountOf, memoryLeftMiB, memoryOf, type Tenant } from './account.ts';
import { HostSampler } from './sampler.ts';
import { tenantOf } from './tenants.ts';

/** What this host has for a broker to share out. */
export class Capacity {
	readonly #host: HostParts;
	readonly #registry: Registry;
	readonly #pace: Pick<Pace, 'noNewCopies'>;
	readonly #sampler: HostSampler;

	constructor(host: HostParts, registry: Registry, pace: Pick<Pace, 'noNewCopies'>) {
		this.#pace = pace;
		this.#host = host;
		this.#registry = registry;
		this.#sampler = new HostSampler(host, registry);
	}

	/** Numbered above all before it. Throws what keeps the host from being looked at: the last report stands then. */
	async report(): Promise<CapacityReport> {
		const { installation, reportNumbers } = this.#host;
		const [sample, { host: limits }, hostId] = await Promise.all([
			this.#sampler.recent(),
			loadConfig(installation),
			makeIdentity(places.hostIdentity(installation.home)),
		]);
		const partial: Pick<CapacityReport, 'partial'> = this.#registry.damaged.size > 0 ? { partial: true } : {};
		return reportNumbers.next(number => ({
			reporter: `host/${limits.name}`,
			hostId,
			number,
			...accountOf(sample, this.#tenants(), { ...limits, noNewCopies: this.#pace.noNewCopies }),
			...partial,
		}));
	}

	/**
	 * Whether there is memory for what was granted, asked in turn with what takes others in: a broker knows the host as it
	 * was some seconds ago. Throws `host_busy`.
	 */
	async mustFit(lease: HeldLease): Promise<() => void> {
		const [sample, { host: limits }] = await Promise.all([this.#sampler.recent(), loadConfig(this.#host.installation)]);
		return () => {
			const leftMiB = Math.max(0, memoryLeftMiB(sample, this.#tenants(), limits));
			const wantedMiB = memoryOf(lease);
			if (wantedMiB <= leftMiB) return;
			throw new RouseError('host_busy', `${leftMiB} MiB of memory are left on this host, not ${wantedMiB} MiB`, {
				hint: 'it is tried again; end something that takes memory there, or recover to another host',
				details: { leftMiB, wantedMiB, lease: requestIdOf(lease.request) },
			});
		};
	}

	#tenants(): Tenant[] {
		return this.#registry.all().map(tenantOf);
	}
}
