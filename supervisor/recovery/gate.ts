import type { CallOptions, MoverGate } from '../../hypervisors/contract.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import type { MountMoverState } from '../../movers/config.ts';
import type { IncidentLog } from '../files/incident-log.ts';
import { moversWanted, type RecoveryState } from '../files/state.ts';
import type { MountMover } from '../movers/movers.ts';
import type { MoverWatch } from '../movers/watch.ts';

/** How long the mount mover goes on failing reads that would have to wait, unless it is told to serve again. */
const failForMs = 5_000;
/** How long it may take to be started, to answer, and to let go of what waits. */
const answerMs = 15_000;

/** What the gate knows of its recovery. */
interface Gated {
	readonly name: string;
	readonly state: RecoveryState;
	readonly incidents: Pick<IncidentLog, 'add'>;
	readonly equipment: { mount: MountMover; watch: { mount: Pick<MoverWatch<MountMoverState>, 'keep'> } };
}

/** The gate of one recovery's mount mover. Once the chain does not need that mover, it is open. */
export class MountMoverGate implements MoverGate {
	readonly #recovery: Gated;
	readonly #clock: Clock;

	constructor(recovery: Gated, clock: Clock) {
		this.#recovery = recovery;
		this.#clock = clock;
	}

	async clear({ patienceMs, signal }: CallOptions & { patienceMs: number }): Promise<void> {
		if (this.#needed) await this.#failWaiting({ patienceMs, signal });
	}

	async pass<T>(
		work: () => Promise<T>,
		{ first = false, patienceMs = Number.POSITIVE_INFINITY, signal }: CallOptions & PassOptions,
	): Promise<T> {
		if (!this.#needed) return work();
		const failedFirst = first && (await this.#failWaiting({ patienceMs: 0, signal }));
		const over = new AbortController();
		const guard = this.#keepServing(patienceMs, over.signal);
		try {
			return await work();
		} finally {
			over.abort();
			const failedLater = await guard;
			if (failedFirst || failedLater) await this.#serveAgain();
		}
	}

	async free(work: () => Promise<void>, { signal }: CallOptions): Promise<boolean> {
		if (!this.#needed || !(await this.#failWaiting({ patienceMs: 0, signal }))) return false;
		await this.#recovery.incidents.add(
			'reads_failed',
			'the machine was silent while reads waited: they were failed to free it',
		);
		try {
			await work();
		} finally {
			await this.#serveAgain();
		}
		return true;
	}

	async reopen({ signal }: CallOptions): Promise<void> {
		if (!this.#needed) return;
		const { mount, watch } = this.#recovery.equipment;
		if (!(await mount.end()))
			throw new RouseError('mover_unreachable', `recovery ${this.#recovery.name}: the mount mover cannot be killed`);
		await mount.start();
		// On a busy host it may be replaced once before it answers: the watch sees to that.
		await this.#untilKept(
			'the mount mover to answer',
			async () => {
				return (await watch.mount.keep()) !== undefined && (await mount.listens());
			},
			signal,
		);
	}

	get #needed(): boolean {
		return moversWanted(this.#recovery.state).mount;
	}

	/** True when reads had to be failed. Throws `mover_unreachable` when the mover cannot be brought to hold none. */
	async #failWaiting({ patienceMs, signal }: CallOptions & { patienceMs: number }): Promise<boolean> {
		const { mount, watch } = this.#recovery.equipment;
		const until = this.#clock.now() + patienceMs;
		let failed = false;
		const holdsNone = async () => {
			const state = await watch.mount.keep();
			if (state === undefined) return false;
			if (state.waitingReads === 0) return true;
			if (this.#clock.now() < until) return false;
			await mount.control.failPending(failForMs);
			failed = true;
			return false;
		};
		await this.#untilKept('the mount mover to answer with no read waiting', holdsNone, signal);
		return failed;
	}

	/** `mover_unreachable` when it does not come to that. */
	async #untilKept(what: string, look: () => Promise<boolean>, signal: AbortSignal | undefined): Promise<void> {
		try {
			await waitFor(what, look, { timeoutMs: answerMs, signal, clock: this.#clock });
		} catch (cause) {
			signal?.throwIfAborted();
			throw new RouseError('mover_unreachable', `recovery ${this.#recovery.name}: ${asRouseError(cause).message}`, {
				cause,
			});
		}
	}

	/** Until `over`; true when reads had to be failed. */
	async #keepServing(patienceMs: number, over: AbortSignal): Promise<boolean> {
		const { mount, watch } = this.#recovery.equipment;
		const begun = this.#clock.now();
		let failed = false;
		while (await this.#rest(over)) {
			// The switch moves on while this runs: on the target nothing waits for a mover, and this one is about to end.
			if (!this.#needed) break;
			const late = this.#clock.now() - begun > patienceMs;
			try {
				const state = await watch.mount.keep();
				if (!late || state === undefined || state.waitingReads === 0) continue;
				await mount.control.failPending(failForMs);
				failed = true;
			} catch {
				// It died between the two calls: the next round starts it again, and counts that.
			}
		}
		return failed;
	}

	/** Ends the failing of reads; the mover forgets which chunks it took for bad. */
	async #serveAgain(): Promise<void> {
		if (!this.#needed) return;
		try {
			await this.#recovery.equipment.mount.control.serve();
		} catch {
			// A mover that is dead now serves when it is started again; one that hangs ends failing by itself.
		}
	}

	async #rest(over: AbortSignal): Promise<boolean> {
		try {
			await this.#clock.delay(100, over);
			return true;
		} catch {
			return false;
		}
	}
}

interface PassOptions {
	first?: boolean;
	patienceMs?: number;
}

/** Where there is no mover any more: nothing of it can be waited for. */
export const openGate: MoverGate = {
	clear: async () => undefined,
	pass: work => work(),
	free: async () => false,
	reopen: async () => undefined,
};
