import assert from 'node:assert/strict';
import type { Bench, GuestWrite } from './bench.ts';

/** Writes as a guest, and knows what the disks must hold: what was acknowledged is in it, nothing else. */
export class GuestModel {
	readonly #bench: Bench;
	readonly #disks: Buffer[];
	readonly #writes: GuestWrite[][];
	#count = 0;

	constructor(bench: Bench) {
		this.#bench = bench;
		this.#disks = bench.base.map(content => Buffer.from(content));
		this.#writes = bench.base.map(() => []);
	}

	/** One more write to each disk, of another size and kind each time; nothing while the guest stands still. */
	async write(): Promise<boolean> {
		let accepted = false;
		for (const [disk, content] of this.#disks.entries()) {
			const write = nextWrite(this.#count++, content.length);
			if (!(await this.#bench.guest.write(disk, write))) continue;
			accepted = true;
			content.fill(write.pattern, write.offsetBytes, write.offsetBytes + write.lengthBytes);
			this.#writes[disk]?.push(write);
		}
		return accepted;
	}

	/** The running guest reads what it wrote last on each disk, and an unwritten place of the base. */
	async checkInGuest(): Promise<void> {
		for (const [disk, writes] of this.#writes.entries()) {
			const last = writes.at(-1);
			if (last) assert.ok(await this.#bench.guest.reads(disk, last), `disk${disk}: the last write is lost`);
		}
	}

	/** Whether one disk reads as the base at a place; `offsetBytes` must be inside. */
	baseByte(disk: number, offsetBytes: number): GuestWrite {
		return { offsetBytes, lengthBytes: 512, pattern: this.#bench.base[disk]?.[offsetBytes] ?? -1 };
	}

	/** It is off: the machine's disks hold every byte of base and writes. */
	async checkContent(): Promise<void> {
		for (const [disk, expected] of this.#disks.entries()) {
			const found = await this.#bench.content(disk);
			assert.equal(found.length, expected.length, `disk${disk}: size`);
			const at = firstDifference(found, expected);
			assert.equal(at, undefined, `disk${disk} differs at byte ${at}: ${found[at ?? 0]}, not ${expected[at ?? 0]}`);
		}
	}
}

/** From a single sector to more than a cluster, aligned and not, one in five of zeros. */
const sizes = [4096, 65_536, 512, 200 * 1024, 128 * 1024, 3 * 512];

function nextWrite(count: number, diskBytes: number): GuestWrite {
	const lengthBytes = sizes[count % sizes.length] ?? 4096;
	// A walk by a step prime to the disk's sectors meets every place, and old places again, in no order.
	const sector = (count * 7919 + 13) % Math.floor((diskBytes - lengthBytes) / 512);
	return { offsetBytes: sector * 512, lengthBytes, pattern: count % 5 === 4 ? 0 : 1 + (count % 255) };
}

function firstDifference(left: Buffer, right: Buffer): number | undefined {
	if (left.equals(right)) return undefined;
	for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return at;
	return left.length;
}
