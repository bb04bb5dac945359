import type { Phase } from '../../model/recovery.ts';
import type { ItemNews } from '../../workflows/batch-contracts.ts';
import type { Random } from './seeds/random.ts';

/** `lost`: ended by force in Temporal, which tells nobody. `late`: not ready in time, and never. */
export type Fate = 'ready' | 'finishes' | 'fails' | 'parks' | 'late' | 'lost';

/** What a recovery is to a batch: some steps of life, and what it tells of them. */
export class WorldRecovery {
	readonly recoveryId: string;
	/** That has started it. */
	batch: string | null = null;
	phase: Phase = 'starting';
	isOpen = true;
	wasReady = false;
	late = false;
	parked = false;
	byForce = false;
	/** Whether it has run, and is taken back no more. */
	hasRun = false;
	/** It knows its batch. */
	tells = false;
	readonly #fate: Fate;
	#helped = false;
	#number = 0;

	constructor(recoveryId: string, fate: Fate) {
		this.recoveryId = recoveryId;
		this.#fate = fate;
	}

	nextNumber(): number {
		this.#number += 1;
		return this.#number;
	}

	/** One step of its life, most of which bring nothing. */
	live(random: Random): ItemNews['is'][] {
		if (!this.isOpen || this.parked || !random.chance(0.3)) return [];
		if (this.#fate === 'fails') return this.#end('failed');
		if (this.#fate === 'lost' && random.chance(0.5)) {
			this.isOpen = false;
			this.byForce = true;
			return [];
		}
		if (!this.hasRun) {
			this.hasRun = true;
			this.phase = 'running';
			return [];
		}
		if (this.#fate === 'parks' && !this.#helped) {
			this.parked = true;
			return ['parked'];
		}
		if (this.#fate === 'late') {
			if (this.late) return [];
			this.late = true;
			return ['not_ready'];
		}
		if (!this.wasReady) {
			this.wasReady = true;
			return ['ready'];
		}
		return this.#fate === 'finishes' ? this.#end('finished') : [];
	}

	/** What it tells whoever asks to be told. */
	standing(): ItemNews['is'][] {
		return [
			...(this.wasReady ? ['ready' as const] : this.late ? ['not_ready' as const] : []),
			this.parked ? 'parked' : 'unparked',
		];
	}

	takeBack(): ItemNews['is'][] {
		return this.hasRun ? [] : this.#end('failed');
	}

	unpark(): ItemNews['is'][] {
		this.#helped = true;
		if (!this.parked) return [];
		this.parked = false;
		return ['unparked'];
	}

	discard(): ItemNews['is'][] {
		return this.#end('discarded');
	}

	#end(phase: Phase): ItemNews['is'][] {
		this.isOpen = this.parked = false;
		this.phase = phase;
		return this.tells ? ['ended'] : [];
	}
}
