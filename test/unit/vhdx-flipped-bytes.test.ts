import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { headerBytes, headersAtBytes, regionTableBytes, regionTablesAtBytes } from '../../vhdx/constants.ts';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { VhdxDisk } from '../../vhdx/disk.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { currentHeader } from '../../vhdx/parse-headers.ts';
import { readRegions } from '../../vhdx/parse-regions.ts';
import { UsedSpace } from '../../vhdx/used-space.ts';
import { Random } from '../equipment/seeds/random.ts';
import { contentByHand } from '../equipment/vhdx-by-hand.ts';
import { tableAt } from '../equipment/vhdx-changes.ts';
import { assembled, contentOf, idsOf, mebibyte, memoryFile } from '../equipment/vhdx-files.ts';

// Hundreds of thousands of errors are made here, and their stacks would take most of the time.
Error.stackTraceLimit = 0;

const random = new Random(1);
/** Small, as each flip reads all of it; the sector bitmap still has 17 bytes. */
const sizeBytes = 65_536 + 512;
const measures = { sizeBytes, blockBytes: mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
const baseIds = idsOf(random);
const baseContent = contentOf(random, sizeBytes, 0);
const base = assembled(fixedFile({ ...measures, ids: baseIds }), baseContent);
const sectors = Uint8Array.from({ length: 256 }, () => random.below(256));
const parent = { linkage: baseIds.dataWriteGuid, relativePath: '.\\base.vhdx' };

const files: [string, Buffer, Buffer?][] = [
	['fixed', base],
	['dynamic', assembled(dynamicFile({ ...measures, ids: idsOf(random), isPresent: () => true }), baseContent)],
	[
		'differencing',
		assembled(
			differencingFile({ ...measures, ids: idsOf(random), parent, blocks: [{ block: 0, content: { sectors } }] }),
			contentOf(random, sizeBytes, 0),
		),
		baseContent,
	],
];

/** What opening and reading looks at, and all of a file's space that has a meaning, but for the blocks. */
async function looked(file: Buffer, below: Buffer | undefined): Promise<{ atBytes: number; lengthBytes: number }[]> {
	const source = memoryFile(file);
	await openVhdx(source);
	return source.reads.concat(below ? [{ atBytes: 4 * mebibyte, lengthBytes: 32 }] : []);
}

const checksummed = [
	...headersAtBytes.map(atBytes => ({ atBytes, lengthBytes: headerBytes })),
	...regionTablesAtBytes.map(atBytes => ({ atBytes, lengthBytes: regionTableBytes })),
];

/** Flips one bit of the byte, another one by its place, and then all bits. */
async function flipped(file: Buffer, at: number, look: (what: string) => Promise<void>): Promise<void> {
	const was = file.readUInt8(at);
	for (const bits of [1 << (at & 7), 0xff]) {
		file.writeUInt8(was ^ bits, at);
		await look(`byte ${at} with bits ${bits}`);
	}
	file.writeUInt8(was, at);
}

describe('a VHDX with a flipped byte', () => {
	for (const [type, file, below] of files)
		it(`is refused by code, or read as the format says: each byte without a checksum, ${type}`, async () => {
			const seen = { refused: 0, read: 0 };
			for (const { atBytes, lengthBytes } of await looked(file, below)) {
				if (checksummed.some(area => area.atBytes === atBytes)) continue;
				for (let at = atBytes; at < atBytes + lengthBytes; at++) {
					// Entries behind the disk's last block are all alike.
					if (at >= tableAt + 64 && at < tableAt + 4095 * 8 && at % 61 !== 0) continue;
					await flipped(file, at, async what => void seen[await outcome(file, below, what)]++);
				}
			}
			assert.ok(seen.refused > 300 && seen.read > 50, JSON.stringify(seen));
		});

	it('is refused: each byte of the headers', async () => {
		const source = memoryFile(base);
		for (const at of headersAtBytes)
			for (let offset = 0; offset < headerBytes; offset++)
				await flipped(base, at + offset, what => mustRefuse(currentHeader(source), what));
	});

	it('is refused: each byte of the region tables', async () => {
		const source = memoryFile(base);
		for (const at of regionTablesAtBytes)
			for (let offset = 0; offset < regionTableBytes; offset++) {
				base.writeUInt8(base.readUInt8(at + offset) ^ 0x10, at + offset);
				await mustRefuse(readRegions(source, new UsedSpace()), `byte ${offset} of the table at ${at}`);
				base.writeUInt8(base.readUInt8(at + offset) ^ 0x10, at + offset);
			}
	});
});

async function mustRefuse(reading: Promise<unknown>, what: string): Promise<void> {
	const thrown: unknown = await reading.then(
		() => undefined,
		(error: unknown) => error,
	);
	assert.ok(thrown instanceof RouseError && thrown.code === 'source_invalid', what);
}

async function outcome(file: Buffer, below: Buffer | undefined, what: string): Promise<'refused' | 'read'> {
	const source = memoryFile(file);
	try {
		const disk = new VhdxDisk(await openVhdx(source), below && parentOf(below));
		const lengthBytes = Math.min(disk.sizeBytes, 2 * sizeBytes);
		const read = await disk.read(0, lengthBytes);
		assert.ok(contentByHand(file, lengthBytes, below)?.equals(read), what);
		return 'read';
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		assert.equal(error.code, 'source_invalid', what);
		return 'refused';
	} finally {
		assert.ok(
			source.reads.every(({ lengthBytes }) => lengthBytes <= mebibyte),
			`${what}: no more than 1 MiB at once`,
		);
	}
}

function parentOf(content: Buffer) {
	return {
		dataWriteGuid: baseIds.dataWriteGuid,
		sizeBytes,
		logicalSectorBytes: 512,
		read: (at: number, length: number) => Promise.resolve(content.subarray(at, at + length)),
	};
}
