import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const { signal } = new AbortController();

/** [MS-VHDX] 2.5: where its region table has QEMU's place of the block allocation table. */
function blockTableAt(content: Buffer): number {
	const entry = content.indexOf(Buffer.from('6677c22d23f600429d64115e9bfd4a08', 'hex'));
	return Number(content.readBigUInt64LE(entry + 16));
}

const changes: [what: string, format: string, options: string, change: (content: Buffer) => Buffer, told: RegExp][] = [
	[
		'VHDX with two blocks at one place',
		'vhdx',
		'block_size=1M',
		content => {
			const at = blockTableAt(content);
			content.copy(content, at + 8, at, at + 8);
			return content;
		},
		/where something else lies/,
	],
	[
		'VHDX with a block in a state that there is not',
		'vhdx',
		'block_size=1M',
		content => {
			content.writeUInt8(5, blockTableAt(content));
			return content;
		},
		/entry 0 of its block allocation table is none/,
	],
	[
		'VMDK one of whose grain directories was lost',
		'vmdk',
		'subformat=monolithicSparse',
		content => {
			const at = Number(content.readBigUInt64LE(56)) * 512;
			return content.fill(0, at, at + 4);
		},
		/its two grain directories differ/,
	],
	[
		'VMDK that was copied as text',
		'vmdk',
		'subformat=monolithicSparse',
		content => {
			content.write('\r\n \r', 73, 'latin1');
			return content;
		},
		/copied as text/,
	],
	[
		'VDI of an unknown type',
		'vdi',
		'static=off',
		content => {
			content.writeUInt32LE(9, 76);
			return content;
		},
		/VDI of type 9/,
	],
	[
		'VHD whose footer and its copy say different things',
		'vpc',
		'force_size=on',
		content => {
			content.writeUInt32BE(2, content.length - 512 + 60);
			return content;
		},
		/its footer says type 2 .* the copy at its beginning type 3/,
	],
	[
		'qcow2 of a disk without bytes',
		'qcow2',
		'compat=1.1',
		content => {
			content.writeBigUInt64BE(0n, 24);
			return content;
		},
		/disk\.qcow2 is an image of an empty disk/,
	],
];

for (const [what, format, options, change, told] of changes)
	test(`a ${what} is refused as that`, async t => {
		const directory = await temporaryDirectory(t);
		const [raw, path] = [join(directory, 'raw'), join(directory, `disk.${format}`)];
		await writeFile(raw, Buffer.alloc(2 ** 22, 'a line of a guest\n'));
		await run('qemu-img', ['convert', '-f', 'raw', '-O', format, '-o', options, raw, path]);
		await (await openSource(path, { signal })).close();
		await writeFile(path, change(await readFile(path)));
		await assert.rejects(openSource(path, { signal }), {
			code: 'source_invalid',
			message: told,
			hint: /copy it again/,
		});
	});

test('a qcow2 that QEMU marked as corrupt is told as that, and one that it did not is not', async t => {
	const image = join(await temporaryDirectory(t), 'disk.qcow2');
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1M']);
	const doubts: string[] = [];
	const trust = { onDoubt: (doubt: string) => doubts.push(doubt) };
	await (await openSource(image, { ...trust, signal })).close();
	assert.deepEqual(doubts, []);
	const content = await readFile(image);
	content.writeBigUInt64BE(2n, 72);
	await writeFile(image, content);
	await (await openSource(image, { ...trust, signal })).close();
	assert.match(doubts.join(), /disk\.qcow2 was marked as corrupt by QEMU/);
});
