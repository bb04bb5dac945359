import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { SourceExtent } from '../../../repository/import/disk-source.ts';
import type { MachineSource } from '../../../sources/machine/contract.ts';
import {
	type BeginOrder,
	beginOrderSchema,
	type Claim,
	type Leftover,
	leftoverSchema,
	type Since,
	type SourceMoment,
	sourceMomentSchema,
	sourceMachineSchema,
	sourcePlanSchema,
} from '../../../sources/machine/documents.ts';
import { ownerOf } from '../../../sources/machine/owner.ts';
import { waitFor } from '../../../system/wait.ts';
import { collect } from '../repositories.ts';
import type { SourceBench } from './bench.ts';

export const { signal } = new AbortController();

const repositoryId = '6f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11';

/** What an import does with a source, a step at a time, each as a process of its own. */
export class Driven {
	readonly bench: SourceBench;
	readonly #machine: string;

	constructor(bench: SourceBench, machine = 'web01') {
		this.bench = bench;
		this.#machine = machine;
	}

	async with<T>(use: (source: MachineSource) => Promise<T>, options: { diesAt?: string } = {}): Promise<T> {
		const source = this.bench.open(options);
		try {
			return await use(source);
		} finally {
			await source.close();
		}
	}

	async order(since: Since | null = null): Promise<BeginOrder> {
		return this.with(async source => {
			const described = sourceMachineSchema.parse(overWire(await source.describe(signal)));
			const plan = sourcePlanSchema.parse(overWire(await source.plan(described, since, signal)));
			const { identity } = described;
			const owner = ownerOf(repositoryId, this.#machine, identity);
			return beginOrderSchema.parse({ tag: randomUUID(), owner, identity, described, plan, since });
		});
	}

	async begin(order: BeginOrder, options: { diesAt?: string } = {}): Promise<SourceMoment> {
		const moment = await this.with(
			async source => sourceMomentSchema.parse(overWire(await source.begin(order, signal))),
			options,
		);
		await waitFor(
			'the moment to be ready',
			async () => this.with(async source => (await source.ready(moment, signal)) === 'ready'),
			{
				timeoutMs: 60_000,
			},
		);
		return moment;
	}

	/** Of a moment that was begun, what its disks held then. */
	async beginWith(order: BeginOrder): Promise<{ moment: SourceMoment; contents: Map<string, Buffer> }> {
		const contents = new Map<string, Buffer>();
		for (const { key } of order.described.disks) contents.set(key, await this.bench.guest.content(key));
		return { moment: await this.begin(order), contents };
	}

	async commit(claim: Claim, droppable: readonly string[] = []): Promise<void> {
		await this.with(source => source.commit(claim, { droppable }, signal));
	}

	async abandon(claim: Claim): Promise<void> {
		await this.with(source => source.abandon(claim, signal));
	}

	async leftovers(owner?: string): Promise<Leftover[]> {
		return this.with(async source =>
			(await collect(source.leftovers(owner, signal))).map(one => leftoverSchema.parse(overWire(one))),
		);
	}

	async tagsLeft(owner?: string): Promise<string[]> {
		return [...new Set((await this.leftovers(owner)).map(({ tag }) => tag))];
	}

	/** A disk as an import would have it: what is unchanged is taken from the base. */
	async read(
		moment: SourceMoment,
		key: string,
		base?: Buffer,
	): Promise<{ bytes: Buffer; readBytes: number; reads: string }> {
		return this.with(async source => {
			const known = base === undefined ? {} : { base: storedDisk(base) };
			const { source: disk, reads } = await source.open(moment, key, known, signal);
			try {
				const extents: SourceExtent[] = [];
				for await (const extent of disk.extents(signal)) extents.push({ ...extent });
				const bytes = Buffer.alloc(disk.sizeBytes);
				let covered = 0;
				let readBytes = 0;
				for (const { offsetBytes, lengthBytes, kind } of extents) {
					assert.equal(offsetBytes, covered, 'extents have a gap, or overlap');
					assert.ok(lengthBytes > 0);
					covered += lengthBytes;
					const part = bytes.subarray(offsetBytes, covered);
					assert.ok(
						kind !== 'unchanged' || (base !== undefined && reads === 'changes'),
						'unchanged, and nobody knows what',
					);
					if (kind === 'unchanged') base?.copy(part, 0, offsetBytes, covered);
					if (kind !== 'data') continue;
					await disk.read(offsetBytes, part, signal);
					readBytes += lengthBytes;
				}
				assert.equal(covered, disk.sizeBytes, 'extents end before the disk does');
				return { bytes, readBytes, reads };
			} finally {
				await disk.close();
			}
		});
	}

	/** That every disk of a moment reads as it was, by its changes where a base is given. */
	async mustRead(moment: SourceMoment, contents: Map<string, Buffer>, bases?: Map<string, Buffer>): Promise<void> {
		for (const { key } of moment.disks) {
			const { bytes } = await this.read(moment, key, bases?.get(key));
			assert.ok(bytes.equals(contents.get(key) ?? Buffer.alloc(0)), `${key} does not read as it was when it was begun`);
		}
	}

	/** An import of everything, committed: what an increment stands on. */
	async committed(): Promise<{ since: Since; contents: Map<string, Buffer>; moment: SourceMoment }> {
		const { moment, contents } = await this.beginWith(await this.order());
		await this.mustRead(moment, contents);
		await this.commit(moment);
		return { since: sinceOf(moment), contents, moment };
	}
}

export function sinceOf({ tag, checkpoint }: SourceMoment): Since {
	assert.ok(checkpoint !== null, 'a platform that tells changes keeps a checkpoint');
	return { tag, checkpoint };
}

function storedDisk(bytes: Buffer) {
	return {
		sizeBytes: bytes.length,
		read: async (offsetBytes: number, into: Buffer) => void bytes.copy(into, 0, offsetBytes),
	};
}

/** As another process gets it. */
function overWire(value: unknown): unknown {
	return JSON.parse(JSON.stringify(value));
}
