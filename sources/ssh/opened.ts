/** A moment that is read. */
import { asRouseError } from '../../model/errors.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import type { SourceMoment } from '../machine/documents.ts';
import { captureAgain } from './capture.ts';
import { ComposedSource } from './compose/disk-source.ts';
import { composeMachine, type ComposedDisk, layoutDigest } from './compose/machine.ts';
import { stillDigest } from './compose/still.ts';
import type { FarFacts } from './facts/facts.ts';
import { mustBeThere } from './found.ts';
import { layoutOf, liveLayout } from './layout.ts';
import { disksOf } from './machine.ts';
import { momentLost } from './moment-lost.ts';
import type { FarPlatform } from './platform.ts';
import type { Ranges } from './ranges.ts';
import type { SshState } from './state.ts';

export class ReadMachine {
	readonly #platform: FarPlatform;
	readonly #ranges: Ranges;
	readonly #state: SshState;
	readonly #disks: ReadonlyMap<string, ComposedDisk>;

	private constructor(
		platform: FarPlatform,
		ranges: Ranges,
		{ state, disks }: { state: SshState; disks: readonly ComposedDisk[] },
	) {
		this.#platform = platform;
		this.#ranges = ranges;
		this.#state = state;
		this.#disks = new Map(disks.map(disk => [disk.key, disk]));
	}

	/** Puts its disks together as they were when it was begun. Throws `moment_lost` where that is not possible any more. */
	static async open(
		platform: FarPlatform,
		{ state, facts, moment }: { state: SshState; facts: FarFacts; moment: SourceMoment },
		signal: AbortSignal,
	): Promise<ReadMachine> {
		mustBeThere(facts.volumes, state);
		const known = new Set(moment.disks.map(({ key }) => key));
		const disks = disksOf(facts).filter(({ key }) => known.has(key));
		const layout = orLost(() =>
			state.reads === 'live' ? liveLayout(disks) : layoutOf(facts, disks, { alreadyBegun: true }),
		);
		const ranges = await platform.ranges(signal);
		try {
			const captured = await captureAgain(layout, state.areas, ranges, signal);
			const { pageBytes } = facts;
			const { snapshots } = state;
			const composed = orLost(() => composeMachine({ layout, captured, snapshots, pageBytes }));
			for (const { disk: key, layout: was } of state.still) {
				const disk = composed.find(one => one.key === key);
				if (disk === undefined || layoutDigest(disk) !== was)
					throw momentLost(`disk ${key} is not there any more, or is partitioned otherwise`);
			}
			return new ReadMachine(platform, ranges, { state, disks: composed });
		} catch (error) {
			await ranges.close();
			throw error;
		}
	}

	get comparesQuickly(): boolean {
		return this.#ranges.digestsAreQuick;
	}

	/** `moment_lost` when there is no such disk. */
	disk(key: string, base: StoredDisk | undefined): ComposedSource {
		const disk = this.#disks.get(key);
		if (disk === undefined) throw momentLost(`disk ${key} is not there any more`);
		return new ComposedSource({
			disk,
			base,
			ranges: this.#ranges,
			mustBeWhole: signal => this.#mustBeWhole(signal),
			mustBeUnchanged: signal => this.#mustBeUnchanged(disk, signal),
		});
	}

	async close(): Promise<void> {
		await this.#ranges.close();
	}

	async #mustBeWhole(signal: AbortSignal): Promise<void> {
		mustBeThere(await this.#platform.volumes(signal), this.#state);
	}

	/** One that became full while it was read has given bytes of later, and no error, for a blink. */
	async #mustBeUnchanged(disk: ComposedDisk, signal: AbortSignal): Promise<void> {
		await this.#mustBeWhole(signal);
		// What was written there and not yet to the disk would be of later, and half of it on the disk already.
		await this.#platform.sync(signal);
		const was = this.#state.still.find(one => one.disk === disk.key);
		if (was === undefined || (await stillDigest(disk, this.#ranges, signal)) === was.sha256) return;
		throw momentLost(`what lies on ${disk.key} outside of LVM, as its boot partition, was written to`);
	}
}

/** What was put together when the moment was begun, and cannot be any more, is gone. */
function orLost<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		const { code, message } = asRouseError(error);
		throw code === 'source_invalid' ? momentLost(message, error) : error;
	}
}
