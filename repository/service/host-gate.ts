import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { asRouseError, type RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { type AccessKind, readAdmitted } from './admitted-hosts.ts';

const lookEveryMs = 1_000;

/**
 * Who of those with a certificate of the authority is let in. The record is read for each connection, and for all that are
 * open every second: one whose host was withdrawn is cut.
 */
export class HostGate {
	readonly #home: string;
	readonly #to: AccessKind;
	readonly #asked = new WeakMap<Socket, Promise<boolean>>();
	readonly #inside = new Map<TLSSocket, string>();

	constructor(home: string, to: AccessKind) {
		this.#home = home;
		this.#to = to;
	}

	/** Whether this caller may come in; asked again it answers the same, until the connection is cut. */
	admits(caller: Socket): Promise<boolean> {
		const known = this.#asked.get(caller);
		if (known) return known;
		const answer = this.#ask(caller);
		this.#asked.set(caller, answer);
		return answer;
	}

	async #ask(caller: Socket): Promise<boolean> {
		if (!(caller instanceof TLSSocket) || !caller.authorized) return false;
		const fingerprint = caller.getPeerX509Certificate()?.fingerprint256;
		if (fingerprint === undefined) return false;
		// Before the look, or a host that is withdrawn between the two would stay.
		this.#inside.set(caller, fingerprint);
		caller.once('close', () => this.#inside.delete(caller));
		if ((await this.#admitted()).has(fingerprint)) return !caller.destroyed;
		this.#inside.delete(caller);
		return false;
	}

	/**
	 * Cuts the connections of hosts that were withdrawn, until the signal aborts. While the record cannot be read nobody new is
	 * let in, and who is inside stays; `onFailure` is told that once.
	 */
	async watch(options: { clock: Clock; signal: AbortSignal; onFailure: (error: RouseError) => void }): Promise<void> {
		const { clock, signal, onFailure } = options;
		let failure: string | undefined;
		while (!signal.aborted) {
			try {
				await this.#cutWithdrawn();
				failure = undefined;
			} catch (thrown) {
				const error = asRouseError(thrown);
				if (error.message !== failure) onFailure(error);
				failure = error.message;
			}
			await clock.delay(lookEveryMs, signal).catch((error: unknown) => {
				if (!signal.aborted) throw error;
			});
		}
	}

	async #cutWithdrawn(): Promise<void> {
		const admitted = await this.#admitted();
		for (const [caller, fingerprint] of this.#inside) if (!admitted.has(fingerprint)) caller.destroy();
	}

	async #admitted(): Promise<Set<string>> {
		const hosts = await readAdmitted(this.#home);
		return new Set(hosts.filter(({ to }) => to.includes(this.#to)).map(({ fingerprint }) => fingerprint));
	}
}
