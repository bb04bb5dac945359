import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { OpenedDisk } from '../../sources/disk-facts.ts';
import type { ImageTrust } from '../../sources/image-layers.ts';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

async function opened(t: TestContext, path: string, trust: ImageTrust = {}): Promise<OpenedDisk> {
	const source = await openSource(path, { ...trust, signal: never });
	t.after(() => source.close());
	return source;
}

/** The footer's checksum: "Hard Disk Footer Format" of the VHD specification. */
function sealFooter(footer: Buffer): void {
	footer.writeUInt32BE(0, 64);
	footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
}

for (const creator of ['vbox', 'wa\0\0', 'vpc ', 'qemu'])
	test(`a VHD made by ${JSON.stringify(creator)} has its current size, whatever its geometry`, async t => {
		const directory = await temporaryDirectory(t);
		const image = join(directory, 'disk.vhd');
		const sizeBytes = 21 * 2 ** 20;
		await writeFile(join(directory, 'raw'), Buffer.alloc(sizeBytes, 'LAST SECTOR     '));
		const options = 'subformat=fixed,force_size=on';
		await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vpc', '-o', options, join(directory, 'raw'), image]);
		const content = await readFile(image);
		const footer = content.subarray(-512);
		footer.write(creator, 28, 'latin1');
		footer.writeUInt32BE(((632 << 16) | (4 << 8) | 17) >>> 0, 56); // as the specification's appendix computes it: too small
		sealFooter(footer);
		await writeFile(image, content);
		const source = await opened(t, image);
		assert.equal(source.sizeBytes, sizeBytes);
		const last = Buffer.alloc(512);
		await source.read(sizeBytes - 512, last, never);
		assert.equal(last.toString('latin1', 0, 11), 'LAST SECTOR');
	});
