import { asRouseError } from '../../model/errors.ts';
import { OwedUnpins } from '../files/owed-unpins.ts';
import { change } from '../files/state.ts';
import { LatePins } from './late-pins.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { Registry } from '../recovery/registry.ts';
import type { StepContext } from '../recovery/step-context.ts';

/** A repository that is away, full or read-only is mended by people. */
const everyMs = 30_000;

/**
 * What this host owes repositories: pins of recoveries that went on unpinned, and that those which are over have none. A
 * repository may hang: nobody waits for a round, and the next one comes after it.
 */
export class PinDebts {
	readonly owedUnpins: OwedUnpins;
	readonly late: LatePins;
	readonly #host: HostParts;
	readonly #registry: Registry;
	readonly #said = new Map<string, string>();
	#underWay = false;
	#nextMs = 0;

	constructor(host: HostParts, registry: Registry) {
		this.#host = host;
		this.#registry = registry;
		this.owedUnpins = new OwedUnpins(host.installation.home);
		this.late = new LatePins(host);
	}

	/** Begins a round when it is time for one. */
	look(): void {
		if (this.#underWay || this.#host.clock.now() < this.#nextMs) return;
		this.#underWay = true;
		void this.#round();
	}

	async #round(): Promise<void> {
		try {
			const unpins = (await this.owedUnpins.recoveryIds()).map(recoveryId => this.#unpin(recoveryId));
			const pins = this.#registry.recoveries().map(recovery => this.#pin(recovery));
			const late = (await this.late.due()).map(repository => this.#clearLate(repository));
			await Promise.all([...unpins, ...pins, ...late]);
		} catch (error) {
			this.#host.log.error({ err: error }, 'what is owed to repositories cannot be read; it is tried again');
		} finally {
			this.#underWay = false;
			this.#nextMs = this.#host.clock.now() + everyMs;
		}
	}

	#unpin(recoveryId: string): Promise<void> {
		return this.#try('an unpin is owed', recoveryId, async () => {
			const owed = await this.owedUnpins.read(recoveryId);
			if (owed === undefined) return;
			await this.#host.repositories.unpin(owed.repository, recoveryId);
			await this.owedUnpins.remove(recoveryId);
			this.#host.log.info({ recoveryId, repository: owed.repository }, 'an unpin that was owed is done');
		});
	}

	#clearLate(repository: string): Promise<void> {
		return this.#try('late pins could not be looked for', repository, () => this.late.clear(repository));
	}

	/** What follows of it is left to the next look at the recovery, which is alone with its state. */
	async #pin({ tombstone, state, seen, name }: Recovery): Promise<void> {
		const { plan, unpinned, recoveryId } = state;
		if (tombstone !== undefined || unpinned === null || plan === null) return;
		const { repository, machine, restorePoint, manifestDigest } = plan;
		await this.#try('a recovery is unpinned', recoveryId, async () => {
			const pin = { recoveryId, machine, restorePoint, manifestDigest, reason: `recovery ${name}` };
			await this.#host.repositories.pin(repository, pin);
			seen.pinned = true;
		});
	}

	/** Says why it could not be done, once a reason. */
	async #try(what: string, of: string, work: () => Promise<void>): Promise<void> {
		try {
			await work();
			this.#said.delete(of);
		} catch (error) {
			const { message } = asRouseError(error);
			if (this.#said.get(of) !== message) this.#host.log.warn({ err: error, of }, what);
			this.#said.set(of, message);
		}
	}
}

/** What follows of a pin that the host has set after all. */
export async function settlePin({ recovery }: StepContext): Promise<void> {
	if (!recovery.seen.pinned || recovery.state.unpinned === null) return;
	await recovery.incidents.add('pinned', 'the restore point is pinned');
	await recovery.change(change.unpinned(null));
}
