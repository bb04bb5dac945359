/** A simulated machine whose guest works, and imports of it by processes that die anywhere. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { readSourceFacts, type SourceFacts } from '../../model/source-facts.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { decodeJournal } from '../../repository/format/journal.ts';
import { keys } from '../../repository/format/keys.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { StoredDiskReader } from '../../repository/stored-disk.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { type ImportOrder, importOrderSchema } from '../../sources/machine/order.ts';
import { type SourceMoment, sourceMomentSchema } from '../../sources/machine/documents.ts';
import { beginMoment, isReady } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import type { StepPlaces } from '../../sources/machine/steps/places.ts';
import { type Flavour, type MachineFiles, simulatedMachineSchema } from '../../sources/simulated-machine/files.ts';
import { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { SimulatedMachineSource, type SimulatedOptions } from '../../sources/simulated-machine/source.ts';
import { readIfThere } from '../../system/if-there.ts';
import { type Calls, WatchedStore } from './mortal-store.ts';
import { collect, importDisks, memoryRepository, wholeSource } from './repositories.ts';

const name = 'web01';

/** A process that dies at one of its calls, of the store or the source; from then on nothing that it does has any effect. */
class Life implements Calls {
	#left: number;

	constructor(calls: number) {
		this.#left = calls;
	}

	get isOver(): boolean {
		return this.#left <= 0;
	}

	spend(): void {
		this.#left -= 1;
		this.mustGoOn();
	}

	async before(): Promise<void> {
		this.spend();
	}

	async after(): Promise<void> {
		this.mustGoOn();
	}

	mustGoOn(): void {
		if (this.isOver) throw new RouseError('interrupted', 'this process is dead');
	}
}

export interface ImportTrouble {
	/** After how many calls each process dies that works on it; those after the last one live. */
	lives: readonly number[];
	/** What the guest, or its owner, does when a process has died or failed. */
	between: () => Promise<void>;
	/** What happens when the order is made, and the moment not begun. */
	beforeBegin: () => Promise<void>;
	/** Whether what the platform keeps may be gone at the end. */
	losesCheckpoints: boolean;
}

/** What of an import was told before a process died. */
interface Kept {
	order?: ImportOrder;
	moment?: SourceMoment;
	isReady?: boolean;
	isCopied?: boolean;
}

export class ImportWorld {
	readonly machine: MachineInDirectory;
	readonly repository: Repository;
	readonly #files: MachineFiles;
	/** What the disks held when a moment was taken, and how many changes there had been, by its time. */
	readonly #moments = new Map<string, { contents: Map<string, Buffer>; changes: number }>();
	/** `key/chunk` of all that was written. */
	readonly #changes: string[] = [];
	#ms = Date.parse('2026-11-20T03:00:00.000Z');

	private constructor(machine: MachineInDirectory, repository: Repository) {
		this.machine = machine;
		this.repository = repository;
		this.#files = machine.files;
	}

	static async make(directory: string, flavour: Flavour, repository: Repository): Promise<ImportWorld> {
		const machine = await MachineInDirectory.make(directory, {
			flavour,
			identity: 'machine-1',
			name: 'a machine',
			config: { cpus: 3, nics: [{ network: 'lan' }] },
			leftOut: [],
			disks: [],
		});
		return new ImportWorld(machine, repository);
	}

	/** As another process has it. */
	places(life?: Life): StepPlaces {
		const options: SimulatedOptions = { now: () => this.#take(), reached: () => life?.spend() };
		const { repository } = this;
		return {
			source: new SimulatedMachineSource(this.#files.directory, options),
			repository: life ? { ...repository, store: new WatchedStore(repository.store, life) } : repository,
			signal: new AbortController().signal,
		};
	}

	/**
	 * An import to its end, by as many processes as it takes; what was not told when one died is done again. How its disks were read.
	 */
	async import(trouble: ImportTrouble): Promise<string[]> {
		const { lives, between, beforeBegin } = trouble;
		const waiting = [...lives];
		let importId = randomUUID();
		let kept: Kept = {};
		for (let attempt = 0; attempt < 60; attempt++) {
			const calls = waiting.shift();
			const life = calls === undefined ? undefined : new Life(calls);
			const told = await this.#toldOf(kept.order);
			const tag = importId;
			const readBefore = (await this.#readsOf(tag)).length;
			try {
				await this.#goOn(importId, kept, life, beforeBegin);
				return await this.#check(kept, trouble);
			} catch (error) {
				if (error instanceof assert.AssertionError) throw error;
				const { code } = asRouseError(error);
				await between();
				if (life?.isOver || code === 'source_unreachable' || code === 'checkpoint_lost' || code === 'source_busy')
					continue;
				if (code !== 'moment_lost' && code !== 'source_changed') throw error;
				if (kept.order !== undefined && (await this.#giveUp(kept.order, waiting)) === 'published')
					return await this.#check(kept, trouble);
				[importId, kept] = [randomUUID(), {}];
			} finally {
				for (const read of (await this.#readsOf(tag)).slice(readBefore))
					assert.ok(!told.has(read), `${read} was durable and is read once more`);
			}
		}
		throw new Error('an import came to no end');
	}

	async #goOn(importId: string, kept: Kept, life: Life | undefined, beforeBegin: () => Promise<void>): Promise<void> {
		const places = this.places(life);
		if (kept.order === undefined) {
			const wish = { importId, machine: name, spec: {}, now: this.#now() };
			kept.order = importOrderSchema.parse(overWire(await makeOrder(places, wish)));
			await beforeBegin();
		}
		const { order } = kept;
		kept.moment ??= sourceMomentSchema.parse(overWire(await beginMoment(places, order)));
		while (!kept.isReady) kept.isReady = await isReady(places, kept.moment);
		if (!kept.isCopied) await copyMoment(places, { order, moment: kept.moment }, { packBytes: 150_000 });
		// What could not be cleaned up is a warning, and no failure: of who is dead nobody hears either.
		life?.mustGoOn();
		kept.isCopied = true;
		await commitMoment(places, order);
	}

	async #giveUp(order: ImportOrder, waiting: number[]): Promise<'given-up' | 'published'> {
		for (;;) {
			const calls = waiting.shift();
			const life = calls === undefined ? undefined : new Life(calls);
			try {
				if ((await giveUp(this.places(life), order)) !== 'published') break;
				await commitMoment(this.places(life), order);
				return 'published';
			} catch (error) {
				if (!life?.isOver && asRouseError(error).code !== 'source_unreachable') throw error;
			}
		}
		const left = await this.leftTags(order.owner);
		assert.ok(!left.includes(order.tag), 'something is left of an import that was given up');
		assert.equal(await this.repository.store.size(keys.intent(order.tag)), undefined);
		return 'given-up';
	}

	async #check({ order, moment }: Kept, { losesCheckpoints }: ImportTrouble): Promise<string[]> {
		assert.ok(order && moment);
		const point = await readPoint(this.repository, name, order.time);
		const { manifest } = point;
		const facts = readSourceFacts(manifest.facts);
		assert.ok(facts, 'the point tells nothing of its source');
		const contents = this.#moments.get(moment.takenAt)?.contents;
		assert.ok(contents);
		const chunks = new VerifiedChunks(new DirectChunkSource(this.repository.store));
		const full = await memoryRepository(this.repository.chunkSizeBytes);
		const expected = facts.disks.map(({ key }) => contents.get(key) ?? Buffer.alloc(0));
		await importDisks(full, expected.map(wholeSource));
		const whole = await readPoint(full, name, '2026-11-20T03:00:00.000Z');
		assert.deepEqual(
			facts.disks.map(({ key }) => key).toSorted(),
			[...contents.keys()].toSorted(),
			'the point has other disks than the machine had',
		);
		for (const [number, image] of manifest.disks.entries()) {
			const bytes = Buffer.alloc(image.sizeBytes);
			await new StoredDiskReader(chunks, image).read(0, bytes, new AbortController().signal);
			assert.ok(bytes.equals(expected[number] ?? Buffer.alloc(0)), `disk ${number} is not what it was`);
			assert.equal(image.contentDigest, whole.manifest.disks[number]?.contentDigest);
		}
		const left = await this.leftTags(order.owner);
		if (!losesCheckpoints || left.length > 0) assert.deepEqual(left, [order.tag], 'one checkpoint is to be kept');
		assert.deepEqual(await collect(this.repository.store.list(keys.intents)), []);
		await this.#checkReads(order, facts);
		return facts.disks.map(({ reads }) => reads);
	}

	/** Of a disk of which the changes alone were asked for, nothing may be read where nobody has written. */
	async #checkReads(order: ImportOrder, { takenAt, disks }: SourceFacts): Promise<void> {
		const reads = new Set(await this.#readsOf(order.tag));
		const base = order.base && (await readPoint(this.repository, name, order.base.restorePoint));
		const since = base && readSourceFacts(base.manifest.facts);
		for (const { key, reads: how } of disks) {
			if (how === 'all') continue;
			const [from, to] = [since?.takenAt, takenAt].map(time => this.#moments.get(time ?? '')?.changes);
			const changed = new Set(this.#changes.slice(from, to));
			for (const read of reads)
				if (read.startsWith(`${key}/`)) assert.ok(changed.has(read), `${read} was read, and nobody wrote there`);
		}
	}

	/** `key/chunk` of what was read for an import, as often as it was. */
	async #readsOf(importId: string): Promise<string[]> {
		const lines = ((await readIfThere(this.#files.reads)) ?? '').split('\n');
		return lines.flatMap(line => {
			const [tag, key = '', offset, length] = line.split(' ');
			return tag === importId ? this.#chunksIn(key, Number(offset), Number(length)) : [];
		});
	}

	/** `key/chunk` of what whole objects of its journal tell. */
	async #toldOf(order: ImportOrder | undefined): Promise<Set<string>> {
		const told = new Set<string>();
		if (order === undefined) return told;
		const { chunkSizeBytes, store } = this.repository;
		const { disks } = order.described;
		const identity = {
			importId: order.tag,
			chunkCounts: disks.map(({ sizeBytes }) => Math.ceil(sizeBytes / chunkSizeBytes)),
			hasBase: order.base !== null,
		};
		for (const { key, sizeBytes } of await collect(store.list(keys.journalOf(order.tag)))) {
			const bytes = Buffer.alloc(sizeBytes);
			await store.read(key, 0, bytes);
			const { runs } = decodeJournal(bytes, { ...identity, number: Number(key.slice(-10)) });
			for (const { disk, firstChunk, count } of runs)
				for (let chunk = firstChunk; chunk < firstChunk + count; chunk++) told.add(`${disks[disk]?.key}/${chunk}`);
		}
		return told;
	}

	#chunksIn(key: string, offsetBytes: number, lengthBytes: number): string[] {
		const { chunkSizeBytes } = this.repository;
		const first = Math.floor(offsetBytes / chunkSizeBytes);
		const end = Math.ceil((offsetBytes + lengthBytes) / chunkSizeBytes);
		return Array.from({ length: end - first }, (_, index) => `${key}/${first + index}`);
	}

	async write(key: string, offsetBytes: number, bytes: Buffer): Promise<void> {
		await this.machine.write(key, offsetBytes, bytes);
		this.#changes.push(...this.#chunksIn(key, offsetBytes, bytes.length));
	}

	async resize(key: string, sizeBytes: number): Promise<void> {
		const { disks } = await this.machine.describe();
		const before = disks.find(disk => disk.key === key)?.sizeBytes ?? 0;
		await this.machine.resize(key, sizeBytes);
		const from = Math.min(before, sizeBytes);
		this.#changes.push(...this.#chunksIn(key, from, Math.max(before, sizeBytes) - from));
	}

	#now(): Date {
		this.#ms += 7;
		return new Date(this.#ms);
	}

	/** Called when a moment is taken: nothing changes until it is. */
	#take(): Date {
		const now = this.#now();
		const { disks } = simulatedMachineSchema.parse(JSON.parse(readFileSync(this.#files.machine, 'utf8')));
		const contents = new Map(disks.map(({ key }) => [key, readFileSync(this.#files.disk(key))]));
		this.#moments.set(now.toISOString(), { contents, changes: this.#changes.length });
		return now;
	}

	async leftTags(owner: string): Promise<string[]> {
		const left = await collect(this.places().source.leftovers(owner, new AbortController().signal));
		return [...new Set(left.map(({ tag }) => tag))];
	}
}

function overWire(value: unknown): unknown {
	return JSON.parse(JSON.stringify(value));
}
