import assert from 'node:assert/strict';
import type { SimulatedGuest } from '../../../hypervisors/simulated/guest.ts';
import type { Random } from './random.ts';

const sectorBytes = 512;

/** Writes as a guest, one write after the other, and knows what its disk must hold. */
export class SeededGuest {
	readonly #random: Random;
	readonly #disk: number;
	readonly #flushesLater: number;
	readonly #expected: Buffer;
	/** By sector, what writes put there of which nobody knows whether they took place: something died under them. */
	readonly #uncertain = new Map<number, Set<number>>();
	#writes = false;
	#count = 0;
	/** Writes that were flushed and acknowledged. */
	acknowledged = 0;

	/** `flushesLater`: the chance that a write is not flushed with its request but by another. */
	constructor(base: Buffer, random: Random, { disk = 0, flushesLater = 0 } = {}) {
		this.#expected = Buffer.from(base);
		this.#random = random;
		this.#disk = disk;
		this.#flushesLater = flushesLater;
	}

	/** Begins a write unless one is under way: it may wait for the mount mover, and for whoever lets the guest go on. */
	write(guest: SimulatedGuest): void {
		if (this.#writes) return;
		this.#writes = true;
		void this.#write(guest).finally(() => {
			this.#writes = false;
		});
	}

	/** Throws at the first sector that holds neither what must be there nor what may be. */
	check(found: Buffer): void {
		assert.equal(found.length, this.#expected.length);
		for (let sector = 0; sector * sectorBytes < found.length; sector++) {
			const at = sector * sectorBytes;
			const bytes = found.subarray(at, at + sectorBytes);
			if (bytes.equals(this.#expected.subarray(at, at + sectorBytes))) continue;
			const first = bytes[0] ?? 0;
			const may = this.#uncertain.get(sector)?.has(first) && bytes.every(byte => byte === first);
			assert.ok(
				may,
				`byte ${at} is ${first}, not ${this.#expected[at]}: a flushed write is lost, or a stale one is back`,
			);
		}
	}

	async #write(guest: SimulatedGuest): Promise<void> {
		const count = 1 + this.#random.below(24);
		const first = this.#random.below(this.#expected.length / sectorBytes - count);
		this.#count += 1;
		const pattern = 1 + (this.#count % 255);
		const sectors = Array.from({ length: count }, (_none, index) => first + index);
		for (const sector of sectors) this.#uncertain.set(sector, (this.#uncertain.get(sector) ?? new Set()).add(pattern));
		const flush = this.#flushesLater === 0 || !this.#random.chance(this.#flushesLater);
		const data = Buffer.alloc(count * sectorBytes, pattern);
		if (!(await guest.write(this.#disk, first * sectorBytes, data, { flush }))) return;
		if (!flush && !(await guest.flush(this.#disk))) return;
		this.#expected.fill(pattern, first * sectorBytes, (first + count) * sectorBytes);
		for (const sector of sectors) this.#uncertain.delete(sector);
		this.acknowledged += 1;
	}
}
