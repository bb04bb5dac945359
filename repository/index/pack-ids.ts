import { RouseError } from '../../model/errors.ts';
import { idBytes } from '../format/index-object.ts';
import { keys, packIdOfKey } from '../format/keys.ts';
import type { Store } from '../store/contract.ts';

/** The packs that a listing had, in 16 bytes each: a million in 16 MB. */
export class PackIds {
	#ids = Buffer.allocUnsafeSlow(idBytes * 1024);
	#count = 0;

	static async list(store: Store, signal?: AbortSignal): Promise<PackIds> {
		const ids = new PackIds();
		for await (const key of store.listKeys(keys.packs, signal)) {
			const packId = packIdOfKey(key);
			if (packId !== undefined) ids.#add(packId);
		}
		return ids;
	}

	get count(): number {
		return this.#count;
	}

	idAt(number: number): string {
		return this.#ids.toString('hex', idBytes * number, idBytes * (number + 1));
	}

	has(packId: string): boolean {
		return this.numberOf(Buffer.from(packId, 'hex'), 0) !== undefined;
	}

	/** Its number by the order of ids, of the pack whose 16 bytes lie at `at`; undefined for one that was not listed. */
	numberOf(bytes: Buffer, at: number): number | undefined {
		const first = bytes.readUInt32BE(at);
		let begin = 0;
		let end = this.#count;
		while (begin < end) {
			const middle = begin + ((end - begin) >>> 1);
			const middleAt = idBytes * middle;
			// The first bytes decide nearly always, and are far faster than a call of compare.
			const order =
				this.#ids.readUInt32BE(middleAt) - first ||
				this.#ids.compare(bytes, at, at + idBytes, middleAt, middleAt + idBytes);
			if (order === 0) return middle;
			if (order < 0) begin = middle + 1;
			else end = middle;
		}
		return undefined;
	}

	/** A store lists by key, and so by id. */
	#add(packId: string): void {
		const at = idBytes * this.#count;
		if (at === this.#ids.length) {
			const longer = Buffer.allocUnsafeSlow(2 * at);
			this.#ids.copy(longer);
			this.#ids = longer;
		}
		this.#ids.write(packId, at, idBytes, 'hex');
		if (at > 0 && this.#ids.compare(this.#ids, at, at + idBytes, at - idBytes, at) >= 0)
			throw new RouseError('internal', `the store lists pack ${packId} after a later one`);
		this.#count++;
	}
}
