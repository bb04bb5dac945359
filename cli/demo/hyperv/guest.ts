import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../../model/errors.ts';
import { control } from '../../../hypervisors/hyperv/simulator/control-client.ts';

const blockBytes = 4096;

/**
 * Stands for the guest of a machine on the simulated host, which has no code of its own: writes and flushes a block, reads
 * another, again and again, and knows what each must hold. A read that is wrong, or an error, ends it, and `stop` throws it.
 */
export class DemoGuest {
	/** What the disk must hold. */
	readonly expected: Buffer;
	readonly #controlSocket: string;
	readonly #recoveryId: string;
	readonly #pauseMs: number;
	readonly #written = new Set<number>();
	#reads = 0;
	#isStopping = false;
	readonly #working: Promise<unknown>;

	/** `pauseMs`: after each write and read. */
	constructor(controlSocket: string, recoveryId: string, content: Buffer, { pauseMs = 0 } = {}) {
		this.#controlSocket = controlSocket;
		this.#recoveryId = recoveryId;
		this.expected = Buffer.from(content);
		this.#pauseMs = pauseMs;
		this.#working = this.#work().catch((error: unknown) => error);
	}

	/** Blocks that it wrote, and reads that were right. */
	get done(): { writtenBlocks: number; reads: number } {
		return { writtenBlocks: this.#written.size, reads: this.#reads };
	}

	/** After what it is at has ended. */
	async stop(): Promise<void> {
		this.#isStopping = true;
		const failure = await this.#working;
		if (failure !== undefined) throw failure;
	}

	/** All that it wrote, and so many blocks of the backup. */
	async verify(blocks: number): Promise<void> {
		for (const at of this.#written) await this.#read(at);
		for (let n = 0; n < blocks; n++) await this.#read(this.#somewhere());
	}

	async powerOff(): Promise<void> {
		await control(this.#controlSocket, { do: 'guest-power-off', recoveryId: this.#recoveryId });
	}

	async #work(): Promise<undefined> {
		for (let count = 1; !this.#isStopping; count++) {
			await this.#write(this.#somewhere(), Buffer.alloc(blockBytes, `block ${count} of the guest\n`));
			await this.#read(this.#somewhere());
			if (this.#pauseMs > 0) await delay(this.#pauseMs);
		}
		return undefined;
	}

	async #write(atBytes: number, content: Buffer): Promise<void> {
		const of = { recoveryId: this.#recoveryId };
		const base64 = content.toString('base64');
		await control(this.#controlSocket, { do: 'guest-write', ...of, disk: 0, atBytes, base64 });
		await control(this.#controlSocket, { do: 'guest-flush', ...of });
		content.copy(this.expected, atBytes);
		this.#written.add(atBytes);
	}

	async #read(atBytes: number): Promise<void> {
		const what = { recoveryId: this.#recoveryId, disk: 0, atBytes, lengthBytes: blockBytes };
		const text = await control(this.#controlSocket, { do: 'guest-read', ...what });
		const found = Buffer.from(text ?? '', 'base64');
		if (!found.equals(this.expected.subarray(atBytes, atBytes + blockBytes)))
			throw new RouseError('machine_failed', `the guest reads something else at byte ${atBytes} than it must`);
		this.#reads += 1;
	}

	#somewhere(): number {
		return randomInt(this.expected.length / blockBytes) * blockBytes;
	}
}
