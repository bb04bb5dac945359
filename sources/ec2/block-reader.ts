import { hash } from 'node:crypto';
import type { Clock } from '../../system/clock.ts';
import type { BlockTokens } from './block-tokens.ts';
import { blockBytes, CloudError, type Ec2Cloud } from './cloud.ts';
import { isFault } from './refusals.ts';
import type { Slots } from '../../system/slots.ts';

/**
 * Of one block, as the SDK counts them. It repeats no answer that ends early or stands still, since it gives bodies out unread. Other
 * calls it does repeat; but how often all of them together is bounded: when a line breaks for a moment and as many are under way as here,
 * that is used up at once.
 */
const mostAttempts = 6;
const firstDelayMs = 200;
const passing = ['token', 'cut', 'damaged', 'unreachable'] as const;

/**
 * Being asked for fewer calls is no failure of a block: imports that share a quota meet it for as long as they run, and would begin
 * over and over. Two minutes in all.
 */
const mostThrottled = 18;
const mostDelayMs = 10_000;

/** Blocks that are under way at once, of all disks: 16 MiB. AWS allows 1000 in a second. */
export const blocksAtOnce = 32;

export interface BlockReaderOptions {
	cloud: Pick<Ec2Cloud, 'block'>;
	/** Of all disks together: each holds one block in memory. */
	slots: Slots;
	clock: Clock;
}

/** Reads blocks of snapshots, each of which matched its digest. */
export class BlockReader {
	readonly #cloud: Pick<Ec2Cloud, 'block'>;
	readonly #slots: Slots;
	readonly #clock: Clock;

	constructor({ cloud, slots, clock }: BlockReaderOptions) {
		this.#cloud = cloud;
		this.#slots = slots;
		this.#clock = clock;
	}

	/** Null: it is all zeros. Throws what the cloud throws, and the signal's reason. */
	async read(
		snapshotId: string,
		index: number,
		tokens: Pick<BlockTokens, 'of' | 'another'>,
		signal: AbortSignal,
	): Promise<Buffer | null> {
		let token = await tokens.of(index, signal);
		let [failed, throttled] = [0, 0];
		while (token !== null) {
			const by = token;
			try {
				return await this.#slots.use(() => this.#fetch({ snapshotId, index, token: by }, signal), signal);
			} catch (error) {
				signal.throwIfAborted();
				if (isFault(error, 'throttled')) {
					if (++throttled === mostThrottled) throw error;
					await this.#delay(throttled, signal);
					continue;
				}
				if (!isFault(error, ...passing) || ++failed === mostAttempts) throw error;
				if (error.fault === 'token') token = await tokens.another(index, by, signal);
				else await this.#delay(failed, signal);
			}
		}
		return null;
	}

	#delay(times: number, signal: AbortSignal): Promise<void> {
		return this.#clock.delay(Math.min(firstDelayMs * 2 ** (times - 1), mostDelayMs), signal);
	}

	async #fetch(query: { snapshotId: string; index: number; token: string }, signal: AbortSignal): Promise<Buffer> {
		const { bytes, sha256 } = await this.#cloud.block(query, signal);
		const call = 'ebs:GetSnapshotBlock';
		if (bytes.length !== blockBytes) throw new CloudError('cut', call, `${bytes.length} bytes`);
		if (sha256 === null) throw new CloudError('damaged', call, 'no digest');
		if (hash('sha256', bytes, 'base64') !== sha256) throw new CloudError('damaged', call, `block ${query.index}`);
		return bytes;
	}
}
