import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';
import { Random } from '../equipment/seeds/random.ts';
import { hasContent, type Measures } from '../equipment/vhdx-chains.ts';
import { contentOf, idsOf, mebibyte } from '../equipment/vhdx-files.ts';
import { written } from '../equipment/vhdx-judges.ts';

const shapes: [string, Measures][] = [
	[
		'512e',
		{ sizeBytes: 9 * mebibyte + 512, blockBytes: 2 * mebibyte, logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	],
	// QEMU opens none.
	[
		'4Kn',
		{ sizeBytes: 9 * mebibyte + 4096, blockBytes: 2 * mebibyte, logicalSectorBytes: 4096, physicalSectorBytes: 4096 },
	],
];

for (const [what, measures] of shapes)
	test(`\`backup import\` of VHDXs that were written here stores their disks and the sizes of sectors: ${what}`, async t => {
		const random = new Random(1);
		const directory = await temporaryDirectory(t);
		const home = join(directory, 'home');
		const must = async (...args: string[]) => {
			const ended = await rouse(home, [...args, '--json']);
			assert.equal(ended.exitCode, 0, ended.stderr);
			return ended.stdout;
		};
		await must('repo', 'init', join(directory, 'main'));
		const content = contentOf(random, measures.sizeBytes);
		content.fill(0, 4 * mebibyte, 6 * mebibyte);
		const isPresent = hasContent(content, measures);
		const layouts = [
			fixedFile({ ...measures, ids: idsOf(random) }),
			dynamicFile({ ...measures, ids: idsOf(random), isPresent }),
		];
		const files = [];
		for (const [index, layout] of layouts.entries()) {
			const path = join(directory, `disk${index}.vhdx`);
			files.push(await written(path, layout, (at, length) => content.subarray(at, at + length)));
		}
		await must('backup', 'import', ...files, '--machine', 'web01');
		for (const index of [0, 1]) {
			const out = join(directory, `out${index}`);
			await must('backup', 'export', 'web01', '--disk', String(index), '--to', out);
			assert.ok(content.equals(await readFile(out)), `disk ${index}`);
		}
		const { logicalSectorBytes, physicalSectorBytes } = measures;
		const sectors = `"logicalSectorBytes":${logicalSectorBytes},"physicalSectorBytes":${physicalSectorBytes}`;
		assert.ok((await must('backup', 'show', 'web01')).includes(sectors));
	});
