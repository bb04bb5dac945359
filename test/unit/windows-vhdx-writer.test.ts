import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { VhdxWriter, type WritableFile } from '../../hypervisors/hyperv/simulator/vhdx-writer.ts';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { type ParentDisk, VhdxDisk } from '../../vhdx/disk.ts';
import { openVhdx } from '../../vhdx/open.ts';

const MiB = 2 ** 20;
const parentGuid = randomUUID();
const parent: ParentDisk = {
	dataWriteGuid: parentGuid,
	sizeBytes: 8 * MiB,
	logicalSectorBytes: 512,
	read: async (_at, lengthBytes) => new Uint8Array(lengthBytes).fill(0xee),
};

type Step =
	| { kind: 'write'; at: number; bytes: Uint8Array }
	| { kind: 'extend'; sizeBytes: number }
	| { kind: 'flush' };

/** A file in memory that knows what was done to it. */
class RecordedFile implements WritableFile {
	readonly name = 'overlay.vhdx';
	readonly steps: Step[] = [];
	#bytes: Uint8Array;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	get sizeBytes(): number {
		return this.#bytes.length;
	}

	get bytes(): Uint8Array {
		return this.#bytes;
	}

	async read(at: number, lengthBytes: number): Promise<Uint8Array> {
		return this.#bytes.slice(at, at + lengthBytes);
	}

	async write(at: number, bytes: Uint8Array): Promise<void> {
		this.apply({ kind: 'write', at, bytes: bytes.slice() });
	}

	async extendTo(sizeBytes: number): Promise<void> {
		this.apply({ kind: 'extend', sizeBytes });
	}

	async flush(): Promise<void> {
		this.apply({ kind: 'flush' });
	}

	apply(step: Step): void {
		this.steps.push(step);
		if (step.kind === 'flush') return;
		const end = step.kind === 'write' ? step.at + step.bytes.length : step.sizeBytes;
		if (end > this.#bytes.length) {
			const longer = new Uint8Array(end);
			longer.set(this.#bytes);
			this.#bytes = longer;
		}
		if (step.kind === 'write') this.#bytes.set(step.bytes, step.at);
	}
}

function newChild(): Uint8Array {
	const layout = differencingFile({
		sizeBytes: 8 * MiB,
		logicalSectorBytes: 512,
		physicalSectorBytes: 512,
		ids: { fileWriteGuid: randomUUID(), dataWriteGuid: randomUUID(), virtualDiskId: randomUUID() },
		parent: { linkage: parentGuid, relativePath: '.\\base.vhdx' },
	});
	const file = new Uint8Array(layout.fileSizeBytes);
	let at = 0;
	for (const piece of layout.pieces()) {
		if (piece.kind === 'bytes') file.set(piece.bytes, at);
		at += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
	}
	return file;
}

/** Every state in which the file can be when the process dies: what was flushed, and of the rest a beginning or the last alone. */
function* statesOf(before: Uint8Array, steps: readonly Step[]): Generator<Uint8Array> {
	const durable = new RecordedFile(before);
	let since: Step[] = [];
	for (const step of steps) {
		since.push(step);
		for (const kept of [since, since.slice(-1)]) {
			const file = new RecordedFile(durable.bytes.slice());
			for (const one of kept) file.apply(one);
			yield file.bytes;
		}
		if (step.kind !== 'flush') continue;
		for (const one of since) durable.apply(one);
		since = [];
	}
}

const contentOf = async (bytes: Uint8Array) =>
	await new VhdxDisk(await openVhdx(new RecordedFile(bytes)), parent).read(0, 8 * MiB);

test('wherever a process dies that writes into a differencing VHDX, the file is whole and each sector is the old or the new', async () => {
	let file = newChild();
	let content = await contentOf(file);
	const writes = [
		[2 * MiB - 512, 1024],
		[1024, 512],
		[0, 4096],
		[6 * MiB, 2 * MiB],
	];
	for (const [number, [at = 0, lengthBytes = 0]] of writes.entries()) {
		const recorded = new RecordedFile(file.slice());
		const bytes = new Uint8Array(lengthBytes).fill(number + 1);
		await (await VhdxWriter.open(recorded)).write(at, bytes);
		const wanted = content.slice();
		wanted.set(bytes, at);
		for (const state of statesOf(file, recorded.steps)) {
			const found = await contentOf(state);
			for (let sector = 0; sector < found.length; sector += 512) {
				const is = Buffer.from(found.buffer, sector, 512);
				const fits = [content, wanted].some(one => is.equals(one.subarray(sector, sector + 512)));
				if (!fits) assert.fail(`write ${number}: sector at ${sector}`);
			}
		}
		assert.deepEqual(await contentOf(recorded.bytes), wanted);
		file = recorded.bytes.slice();
		content = wanted;
	}
});

test('a block that an attempt which died had marked shows none of its marks when it is written at last', async () => {
	const before = newChild();
	const recorded = new RecordedFile(before.slice());
	await (await VhdxWriter.open(recorded)).write(4096, new Uint8Array(512).fill(1));
	// All but the block's entry in the table.
	const last = recorded.steps.findLastIndex(({ kind }) => kind === 'write');
	const died = new RecordedFile(before.slice());
	for (const step of recorded.steps.slice(0, last)) died.apply(step);
	await (await VhdxWriter.open(died)).write(0, new Uint8Array(512).fill(2));
	const content = await contentOf(died.bytes);
	assert.deepEqual([content[0], content[4096], content[4608]], [2, 0xee, 0xee]);
});

test('wherever a process dies that gives a VHDX another parent, the file names the old one or the new', async () => {
	const before = newChild();
	const recorded = new RecordedFile(before.slice());
	const writer = await VhdxWriter.open(recorded);
	const linkages = [randomUUID(), randomUUID(), randomUUID()];
	for (const linkage of linkages)
		await writer.setParent({ linkage, relativePath: '.\\target.vhdx', absolutePath: 'D:\\Rouse\\target.vhdx' });
	await writer.setDataWriteGuid(randomUUID());
	const seen = new Set<string | undefined>();
	for (const state of statesOf(before, recorded.steps))
		seen.add((await openVhdx(new RecordedFile(state))).parent?.linkage);
	assert.deepEqual([...seen], [parentGuid, ...linkages]);
});
