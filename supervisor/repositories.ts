import type { RepositoryMoverState } from '../movers/config.ts';
import type { HostParts } from './host-parts.ts';
import { MoverWatch } from './mover-watch.ts';
import type { Recovery } from './recovery.ts';
import { moversWanted } from './state.ts';

/** A repository mover that nobody uses is ended after this time: the next recovery often comes soon. */
const idleMs = 2_000;

/** Repository movers are shared: one runs for each repository that a recovery of this host reads. */
export class Repositories {
	readonly #host: HostParts;
	readonly #watches = new Map<string, MoverWatch<RepositoryMoverState>>();
	readonly #unusedSince = new Map<string, number>();
	#users = new Map<string, Recovery[]>();

	constructor(host: HostParts) {
		this.#host = host;
	}

	async reconcile(recoveries: readonly Recovery[]): Promise<void> {
		this.#users = Map.groupBy(
			recoveries.filter(({ state, tombstone }) => tombstone === undefined && state.plan && state.chain === 'mover'),
			({ state }) => state.plan?.repository ?? '',
		);
		for (const [repository, users] of this.#users)
			if (users.some(({ state }) => moversWanted(state).repository)) await this.#watch(repository).keep();
		await this.#endUnused();
	}

	#watch(repository: string): MoverWatch<RepositoryMoverState> {
		const known = this.#watches.get(repository);
		if (known) return known;
		const mover = this.#host.movers.repository(repository);
		const watch = new MoverWatch(mover, this.#host.clock, async (kind, message) => {
			for (const recovery of this.#users.get(repository) ?? []) await recovery.incidents.add(kind, message);
		});
		this.#watches.set(repository, watch);
		return watch;
	}

	async #endUnused(): Promise<void> {
		const now = this.#host.clock();
		for (const repository of this.#users.keys()) this.#unusedSince.delete(repository);
		for (const repository of await this.#host.movers.knownRepositories()) {
			if (this.#users.has(repository)) continue;
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
