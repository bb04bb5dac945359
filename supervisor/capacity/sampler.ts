import type { HostParts } from '../recovery/host-parts.ts';
import type { Registry } from '../recovery/registry.ts';
import type { Sample } from './account.ts';
import { takenMiB } from './tenants.ts';

/** Of how many looks the last one that succeeded may be out of date. */
const missedLooks = 4;

/** Looks at what the host has as often as its platform bears it. */
export class HostSampler {
	readonly #host: Pick<HostParts, 'platform' | 'clock' | 'log'>;
	readonly #registry: Pick<Registry, 'all'>;
	#last: (Sample & { atMs: number }) | undefined;
	#looking: Promise<Sample> | undefined;

	constructor(host: Pick<HostParts, 'platform' | 'clock' | 'log'>, registry: Pick<Registry, 'all'>) {
		this.#host = host;
		this.#registry = registry;
	}

	/** Waits for the platform only where there is nothing recent; throws what it says then. */
	async recent(): Promise<Sample> {
		const { everyMs } = this.#host.platform.resources;
		const last = this.#last;
		const ageMs = last ? this.#host.clock.now() - last.atMs : Number.POSITIVE_INFINITY;
		if (last && ageMs < everyMs) return last;
		const looking = (this.#looking ??= this.#look());
		if (last === undefined || ageMs >= missedLooks * everyMs) return looking;
		looking.catch(() => undefined); // told when what is known is too old
		return last;
	}

	async #look(): Promise<Sample> {
		try {
			const { platform, clock } = this.#host;
			const atMs = clock.now();
			// Machines first: what one takes between the two looks counts as somebody else's, not as nobody's.
			const taken = await Promise.all(this.#registry.all().map(entry => this.#takenBy(entry)));
			const sample = { host: await platform.resources.look(), takenMiB: new Map(taken), atMs };
			this.#last = sample;
			return sample;
		} finally {
			this.#looking = undefined;
		}
	}

	/** One that cannot be looked at hides no other: what it has taken counts as if no lease covered it. */
	async #takenBy(entry: ReturnType<Registry['all']>[number]): Promise<[string, number]> {
		const { recoveryId, name } = entry;
		try {
			return [recoveryId, await takenMiB(entry)];
		} catch (error) {
			this.#host.log.debug({ err: error, recovery: name }, 'what a machine takes cannot be looked at');
			return [recoveryId, 0];
		}
	}
}
