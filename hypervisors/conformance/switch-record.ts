import assert from 'node:assert/strict';
import type { Chain } from '../../model/recovery.ts';
import type { SwitchCalls } from '../contract.ts';
import type { Bench } from './bench.ts';
import type { GuestModel } from './guest-model.ts';

/** Called at every place and around every mark, with its name. */
export type AtPlace = (place: string) => Promise<void>;

/**
 * The supervisor's side of a switch: what survives an attempt. The guest writes at every place at which it runs, since
 * nothing tells a guest that a switch is going on.
 */
export class SwitchRecord implements SwitchCalls {
	readonly marks: Chain[] = [];
	readonly places: string[] = [];
	readonly #bench: Bench;
	readonly #guest: GuestModel;
	#chain: Chain = 'mover';
	#resume: boolean | undefined;
	at: AtPlace = async () => {};

	constructor(bench: Bench, guest: GuestModel) {
		this.#bench = bench;
		this.#guest = guest;
	}

	get chain(): Chain {
		return this.#chain;
	}

	get resume(): boolean | undefined {
		return this.#resume;
	}

	async mark(chain: Chain): Promise<void> {
		const order: readonly Chain[] = ['mover', 'local', 'target'];
		assert.ok(order.indexOf(chain) >= order.indexOf(this.#chain), `mark goes back from ${this.#chain} to ${chain}`);
		this.#chain = chain;
		this.marks.push(chain);
		await this.#guest.write();
		await this.at(`mark.${chain}`);
	}

	async rememberResume(resume: boolean): Promise<void> {
		this.#resume = resume;
		await this.#guest.write();
	}

	async stopMountMover(): Promise<void> {
		assert.notEqual(this.#chain, 'mover', 'the mount mover is stopped while the mark says that it is needed');
		await this.#bench.mover.stop();
	}

	async reached(place: string): Promise<void> {
		this.places.push(place);
		await this.#guest.write();
		await this.at(place);
	}
}
