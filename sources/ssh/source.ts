import { setTimeout as delay } from 'node:timers/promises';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { machineConsistency } from '../../model/source-facts.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import { type Reached, reachedFromEnvironment } from '../../system/reached.ts';
import type { MachineSource, OpenedMoment } from '../machine/contract.ts';
import type * as documents from '../machine/documents.ts';
import { mustBePlanned } from '../machine/planned.ts';
import { beginSnapshots, removeTag } from './begin.ts';
import type { FarFacts } from './facts/facts.ts';
import { foundMoment, mustBeThere } from './found.ts';
import { layoutOf } from './layout.ts';
import { describeMachine, disksOf, identityOf, sizesOf } from './machine.ts';
import { markedIn } from './marks.ts';
import { ReadMachine } from './opened.ts';
import type { FarPlatform } from './platform.ts';
import { roomFor } from './room.ts';
import { checkpointSchema, type MomentRecord, momentOf, stateSchema } from './state.ts';

export interface SshSourceOptions {
	/** Without password, as people know it. */
	uri: string;
	platform: FarPlatform;
	/** `false`: the disks are read while they are written to. */
	snapshot?: boolean;
	/** Called at `prepared`, `snapshots` and `begun`; by default a process dies there that was told to (system/reached.ts). */
	reached?: Reached;
	now?: () => Date;
	/** How long a snapshot may still be in use by a session that was cut; the agent ends two minutes after it was last asked. */
	freeWithinMs?: number;
}

/**
 * A machine that runs Linux, read over SSH with nothing installed there. What holds its disks still are snapshots of LVM, which go when
 * they have been read: the next import finds what changed by comparing digests.
 */
export class SshMachineSource implements MachineSource {
	readonly kind = 'ssh';
	readonly #options: Required<SshSourceOptions>;
	#reading: { tag: string; machine: Promise<ReadMachine> } | undefined;

	constructor({
		snapshot = true,
		reached = reachedFromEnvironment(),
		now = () => new Date(),
		freeWithinMs = 180_000,
		...options
	}: SshSourceOptions) {
		this.#options = { snapshot, reached, now, freeWithinMs, ...options };
	}

	async describe(signal: AbortSignal): Promise<documents.SourceMachine> {
		const { platform, uri } = this.#options;
		return describeMachine(await platform.facts(signal), { uri, host: platform.name });
	}

	async plan(
		machine: documents.SourceMachine,
		since: documents.Since | null,
		signal: AbortSignal,
	): Promise<documents.SourcePlan> {
		const { platform, snapshot } = this.#options;
		const facts = await platform.facts(signal);
		const why = whyAll(facts, since);
		const { consistency, warnings } = snapshot ? expected(facts) : withoutSnapshots;
		return {
			disks: machine.disks.map(({ key }) => ({ key, reads: why === null ? 'changes' : 'all', why })),
			consistency,
			cost: null,
			warnings,
		};
	}

	async begin(order: documents.BeginOrder, signal: AbortSignal): Promise<documents.SourceMoment> {
		const { platform, snapshot, reached, now } = this.#options;
		const facts = await this.#facts(order, signal);
		if (!snapshot) {
			mustBePlanned(sizesOf(disksOf(facts)), order);
			return momentOf(order, liveRecord(facts, now()));
		}
		const found = foundMoment(facts.volumes, order);
		if (found !== undefined) return momentOf(order, found);
		await this.#remove([order.tag], order.owner, signal);
		return momentOf(order, await beginSnapshots({ platform, reached, now, signal }, order));
	}

	async ready(moment: documents.SourceMoment, signal: AbortSignal): Promise<'ready'> {
		mustBeThere(await this.#options.platform.volumes(signal), stateSchema.parse(moment.state));
		return 'ready';
	}

	async open(
		moment: documents.SourceMoment,
		key: string,
		{ base }: { base?: StoredDisk | undefined },
		signal: AbortSignal,
	): Promise<OpenedMoment> {
		const machine = await this.#read(moment, signal);
		if (base === undefined) return { source: machine.disk(key, undefined), reads: 'all', why: null };
		if (machine.comparesQuickly) return { source: machine.disk(key, base), reads: 'changes', why: null };
		return { source: machine.disk(key, undefined), reads: 'all', why: noPython };
	}

	async commit(
		claim: documents.Claim,
		{ droppable }: { droppable: readonly string[] },
		signal: AbortSignal,
	): Promise<void> {
		await this.#facts(claim, signal);
		await this.#remove([claim.tag, ...droppable], claim.owner, signal);
	}

	async abandon(claim: documents.Claim, signal: AbortSignal): Promise<void> {
		await this.#facts(claim, signal);
		await this.#remove([claim.tag], claim.owner, signal);
	}

	async *leftovers(owner: string | undefined, signal: AbortSignal): AsyncGenerator<documents.Leftover> {
		for (const { tag, owner: of, group, name, origin, volume } of markedIn(
			await this.#options.platform.volumes(signal),
		)) {
			if (owner !== undefined && of !== owner) continue;
			yield {
				tag,
				owner: of,
				what: `LVM snapshot ${group}/${name}${origin === '' ? '' : ` of ${origin}`}`.slice(0, 200),
				since: null,
				costText: `${formatBytes(volume.lv_size)} of its group at most, and slower writes`,
				canDelete: true,
			};
		}
	}

	async close(): Promise<void> {
		const reading = this.#reading;
		this.#reading = undefined;
		const machine = await reading?.machine.catch(() => undefined); // whoever asked for it was told
		await machine?.close();
	}

	/** Throws `identity_conflict` when another machine has this address. */
	async #facts({ identity }: Pick<documents.Claim, 'identity'>, signal: AbortSignal): Promise<FarFacts> {
		const { platform } = this.#options;
		const facts = await platform.facts(signal);
		const found = identityOf(facts);
		if (found === identity) return facts;
		throw new RouseError('identity_conflict', `the machine at ${platform.name} is ${found}, not ${identity}`);
	}

	/** One connection reads all disks of a moment. */
	async #read(moment: documents.SourceMoment, signal: AbortSignal): Promise<ReadMachine> {
		if (this.#reading?.tag !== moment.tag) {
			await this.close();
			const { platform } = this.#options;
			const opening = async () => {
				const facts = await this.#facts(moment, signal);
				return await ReadMachine.open(platform, { state: stateSchema.parse(moment.state), facts, moment }, signal);
			};
			this.#reading = { tag: moment.tag, machine: opening() };
		}
		try {
			return await this.#reading.machine;
		} catch (error) {
			this.#reading = undefined;
			throw error;
		}
	}

	/** A session that was cut may go on for a while, and what it reads cannot be removed meanwhile. */
	async #remove(tags: readonly string[], owner: string, signal: AbortSignal): Promise<void> {
		await this.close();
		const { platform, freeWithinMs } = this.#options;
		const deadline = performance.now() + freeWithinMs;
		for (;;) {
			try {
				for (const tag of tags) await removeTag(platform, { tag, owner }, signal);
				return;
			} catch (error) {
				if (asRouseError(error).code !== 'source_busy' || performance.now() > deadline) throw error;
				await delay(2000, undefined, { signal });
			}
		}
	}
}

const noPython = 'there is no Python 3 on the machine, by which digests are made';

/** Why not the changes alone; null where they can be told. */
function whyAll({ hasPython }: FarFacts, since: documents.Since | null): string | null {
	if (since === null) return 'there is nothing to compare it with';
	if (!checkpointSchema.safeParse(since.checkpoint).success) return 'what is noted of it is not understood';
	return hasPython ? null : noPython;
}

type Expected = Pick<documents.SourcePlan, 'consistency' | 'warnings'>;

const withoutSnapshots: Expected = {
	consistency: 'none',
	warnings: ['its disks are read while they are written to: what is read may not fit together'],
};

/** Throws what would be thrown when it is begun. */
function expected(facts: FarFacts): Expected {
	const { volumes } = layoutOf(facts, disksOf(facts));
	const rooms = roomFor(volumes, facts);
	return {
		consistency: machineConsistency(
			volumes.filter(({ isSwap }) => !isSwap),
			true,
		),
		warnings:
			rooms.length < 2
				? []
				: [
						`its ${rooms.length} volumes get their snapshots one after the other: when one is written to meanwhile, in each of three tries, the point is of consistency none`,
					],
	};
}

function liveRecord(facts: FarFacts, now: Date): MomentRecord {
	return {
		takenAt: now.toISOString(),
		together: false,
		disks: disksOf(facts).map(({ key, block: { sizeBytes } }) => ({ key, sizeBytes, consistency: 'none' })),
		state: { version: 1, reads: 'live', snapshots: [], areas: [], still: [] },
	};
}
