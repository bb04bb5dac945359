import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { headersAtBytes } from '../../vhdx/constants.ts';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { VhdxDisk } from '../../vhdx/disk.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import {
	bothHeaders,
	type Change,
	changed,
	entry,
	firstBlockAt,
	metadataAt,
	regionTable,
	tableAt,
} from '../equipment/vhdx-changes.ts';
import { assembled, contentOf, idsOf, mebibyte, memoryFile } from '../equipment/vhdx-files.ts';
import { sevenZipContent, sevenZipTakes } from '../equipment/vhdx-judges.ts';

const random = new Random(1);
const measures = {
	sizeBytes: 2 * mebibyte,
	blockBytes: mebibyte,
	logicalSectorBytes: 512,
	physicalSectorBytes: 4096,
} as const;
const baseIds = idsOf(random);
const base = assembled(fixedFile({ ...measures, ids: baseIds }), contentOf(random, measures.sizeBytes, 0));
const parent = { linkage: baseIds.dataWriteGuid, relativePath: '.\\base.vhdx' };
const sectors = Uint8Array.from({ length: 256 }, () => random.below(256));
const blocks = [
	{ block: 0, content: { sectors } },
	{ block: 1, content: 'whole' },
] as const;
const child = assembled(
	differencingFile({ ...measures, ids: idsOf(random), parent, blocks }),
	contentOf(random, measures.sizeBytes, 0),
);

/** What is wrong of the child. */
const wrongs: [string, Change][] = [
	['a header with a wrong checksum', file => void (file[headersAtBytes[0] + 100] = 1)],
	['both headers with wrong checksums', file => headersAtBytes.forEach(at => (file[at + 100] = 1))],
	['a region table with a wrong checksum', file => void (file[192 * 1024 + 3000] = 1)],
	['a required item that is not known', file => void file.fill(9, metadataAt + 96, metadataAt + 112)],
	['blocks that overlap', entry(1, firstBlockAt + mebibyte + 6)],
	['reserved bits of an entry', entry(0, firstBlockAt + 64 + 6)],
	['state 5 of a block', entry(0, firstBlockAt + 5)],
	['a log that is not empty', bothHeaders(header => void header.fill(7, 48, 64))],
	['a block behind the end', entry(0, 2 ** 40 + 6)],
	[
		'a region that is required and not known',
		regionTable(table => {
			table.writeUInt32LE(3, 8);
			table.fill(9, 80, 96);
			table.writeBigUInt64LE(BigInt(tableAt), 96);
			table.writeUInt32LE(mebibyte, 104);
			table.writeUInt32LE(1, 108);
		}),
	],
	['another linkage', file => void file.write('{0', file.indexOf('{', metadataAt, 'utf16le'), 'utf16le')],
];

/** Where the child lies beside its base. */
async function placeOf(t: TestContext): Promise<string> {
	const directory = await temporaryDirectory(t);
	await writeFile(join(directory, 'base.vhdx'), base);
	return join(directory, 'child.vhdx');
}

async function ourContent(file: Buffer): Promise<Buffer | undefined> {
	try {
		const below = new VhdxDisk(await openVhdx(memoryFile(base)));
		const disk = new VhdxDisk(await openVhdx(memoryFile(file)), below);
		return Buffer.from(await disk.read(0, disk.sizeBytes));
	} catch (error) {
		assert.ok(error instanceof RouseError && error.code === 'source_invalid', String(error));
		return undefined;
	}
}

describe('what 7zz refuses, `openVhdx` refuses', () => {
	for (const [what, change] of wrongs)
		it(what, async t => {
			const path = await placeOf(t);
			const file = changed(child, change);
			await writeFile(path, file);
			assert.equal(await sevenZipTakes(path), false);
			assert.equal(await ourContent(file), undefined);
		});

	it('with random bytes of tables changed; and what both take, both read alike', async t => {
		const path = await placeOf(t);
		const seen = { refused: 0, read: 0 };
		for (let time = 0; time < 80; time++) {
			const at = random.pick([
				() => metadataAt + random.below(32 * 7),
				() => metadataAt + 65_536 + random.below(400),
				() => tableAt + random.below(16),
				() => tableAt + 4096 * 8 + random.below(8),
				() => firstBlockAt + random.below(512),
			])();
			const file = changed(child, bytes => void bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at));
			await writeFile(path, file);
			const ours = await ourContent(file);
			const theirs = (await sevenZipTakes(path)) ? await sevenZipContent(path) : undefined;
			if (ours) assert.ok(theirs?.equals(ours), `byte ${at} at the ${time}th time`);
			seen[ours ? 'read' : 'refused']++;
		}
		assert.ok(seen.read > 20 && seen.refused > 20, JSON.stringify(seen));
	});
});
