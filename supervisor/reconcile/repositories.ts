import { asRouseError } from '../../model/errors.ts';
import type { RepositoryMoverState } from '../../movers/config.ts';
import { readLimitOf } from '../../system/site.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import { MoverWatch } from '../movers/watch.ts';
import type { FollowedConfig } from '../pace/followed-config.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { Registry } from '../recovery/registry.ts';
import { moversWanted } from '../files/state.ts';

/** A repository mover that nobody uses is ended after this time: the next recovery often comes soon. */
const idleMs = 2_000;

/** Repository movers are shared: one runs for each repository that a recovery of this host reads. */
export class Repositories {
	readonly #host: HostParts;
	readonly #registry: Registry;
	readonly #config: FollowedConfig;
	readonly #watches = new Map<string, MoverWatch<RepositoryMoverState>>();
	readonly #unusedSince = new Map<string, number>();

	constructor(host: HostParts, registry: Registry, config: FollowedConfig) {
		this.#config = config;
		this.#host = host;
		this.#registry = registry;
	}

	async reconcile(): Promise<void> {
		for (const [repository, users] of this.#users())
			if (users.some(({ state }) => moversWanted(state).repository)) await this.#keep(repository);
		await this.#endUnused();
	}

	async #keep(repository: string): Promise<void> {
		const state = await this.#watch(repository).keep();
		const config = await this.#config.now();
		if (state === undefined || config === undefined) return;
		const limit = readLimitOf(config, repository);
		if (state.maxRateBytes === limit) return;
		try {
			await this.#host.movers.repository(repository).control.rate(limit);
		} catch (error) {
			// It died since, or is of a version without limits: the next look tells it, or the one that follows it.
			if (!['mover_unreachable', 'protocol'].includes(asRouseError(error).code)) throw error;
		}
	}

	/** As it is now: recoveries come and go while this looks after one mover and another. */
	#users(): Map<string, Recovery[]> {
		return Map.groupBy(
			this.#registry
				.recoveries()
				.filter(({ state, tombstone }) => tombstone === undefined && state.plan && state.chain === 'mover'),
			({ state }) => state.plan?.repository ?? '',
		);
	}

	#watch(repository: string): MoverWatch<RepositoryMoverState> {
		const known = this.#watches.get(repository);
		if (known) return known;
		const mover = this.#host.movers.repository(repository);
		const watch = new MoverWatch(mover, this.#host.clock, async (kind, message) => {
			for (const recovery of this.#users().get(repository) ?? []) await recovery.incidents.add(kind, message);
		});
		this.#watches.set(repository, watch);
		return watch;
	}

	async #endUnused(): Promise<void> {
		// What one uses that cannot be read nobody knows; its machine may be running.
		if (this.#registry.damaged.size > 0) return;
		const now = this.#host.clock.now();
		for (const repository of await this.#host.movers.knownRepositories()) {
			if (this.#users().has(repository)) {
				this.#unusedSince.delete(repository);
				continue;
			}
			const since = this.#unusedSince.get(repository) ?? now;
			this.#unusedSince.set(repository, since);
			if (now - since < idleMs) continue;
			const mover = this.#host.movers.repository(repository);
			if (await mover.end()) await mover.remove();
			this.#unusedSince.delete(repository);
			this.#watches.delete(repository);
		}
	}
}
