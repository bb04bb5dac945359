import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { asRouseError, type RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { type AccessKind, type AdmittedHost, readAdmitted } from './admitted-hosts.ts';

const lookEveryMs = 1_000;

/**
 * Who of those with a certificate of the authority is let in. The record is read for each connection, and for all that are
 * open every second: one whose host was withdrawn is cut.
 */
export class HostGate {
	readonly #home: string;
	readonly #to: AccessKind;
	readonly #asked = new WeakMap<Socket, Promise<AdmittedHost | undefined>>();
	readonly #inside = new Map<TLSSocket, string>();

	constructor(home: string, to: AccessKind) {
		this.#home = home;
		this.#to = to;
	}

	/** Whether this caller may come in; asked again it answers the same, until the connection is cut. */
	async admits(caller: Socket): Promise<boolean> {
		return (await this.admittedAs(caller)) !== undefined;
	}

	/** The same, and who it is. */
	admittedAs(caller: Socket): Promise<AdmittedHost | undefined> {
		const known = this.#asked.get(caller);
		if (known) return known;
		const answer = this.#ask(caller);
		this.#asked.set(caller, answer);
		return answer;
	}

	async #ask(caller: Socket): Promise<AdmittedHost | undefined> {
		if (!(caller instanceof TLSSocket) || !caller.authorized) return undefined;
		const fingerprint = caller.getPeerX509Certificate()?.fingerprint256;
		if (fingerprint === undefined) return undefined;
		// Before the look, or a host that is withdrawn between the two would stay.
		this.#inside.set(caller, fingerprint);
		caller.once('close', () => this.#inside.delete(caller));
		const admitted = (await this.#admitted()).get(fingerprint);
		if (admitted === undefined) this.#inside.delete(caller);
		return caller.destroyed ? undefined : admitted;
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

	/** By the fingerprints of their certificates. */
	async #admitted(): Promise<Map<string, AdmittedHost>> {
		const hosts = await readAdmitted(this.#home);
		return new Map(hosts.filter(({ to }) => to.includes(this.#to)).map(host => [host.fingerprint, host]));
	}
}
