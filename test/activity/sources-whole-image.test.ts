import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, copyFile, open, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
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

async function fixedVhd(t: TestContext): Promise<{ image: string; content: Buffer }> {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'disk.vhd');
	await run('qemu-img', ['create', '-q', '-f', 'vpc', '-o', 'subformat=fixed,force_size=on', image, '1M']);
	return { image, content: await readFile(image) };
}

test('a VHD with a footer of 511 bytes is refused by whatever name, and taken once it was mended as the hint says', async t => {
	const { image, content } = await fixedVhd(t);
	const path = `${image}.img`;
	await writeFile(path, content.subarray(0, -1));
	await assert.rejects(opened(t, path), { message: /footer of 511 bytes/, hint: /truncate --size=\+1 FILE/ });
	await run('truncate', ['--size=+1', path]);
	assert.equal((await opened(t, path)).sizeBytes, 2 ** 20);
});

test('a VHD of a type that is not known is refused, and one with more data than its footer says is doubted', async t => {
	const { image, content } = await fixedVhd(t);
	const footer = content.subarray(-512);
	await writeFile(image, Buffer.concat([content.subarray(0, -512), Buffer.alloc(4096, 1), footer]));
	const doubts: string[] = [];
	await opened(t, image, { onDoubt: doubt => doubts.push(doubt) });
	assert.match(doubts.join(), /has 1052672 bytes before its footer, which says that the disk has 1048576/);
	footer.writeUInt32BE(6, 60);
	sealFooter(footer);
	await writeFile(image, content);
	await assert.rejects(opened(t, image), { message: /type 6, which is not known/ });
});

/** Four MiB: random data, a hole, and text that compresses, up to the last byte. */
async function makeRaw(
	directory: string,
	sizeBytes = 4 * 2 ** 20 + 3 * 512,
): Promise<{ raw: string; content: Buffer }> {
	const content = Buffer.alloc(sizeBytes);
	randomBytes(2 ** 20).copy(content, 100_000);
	content.fill('text of a guest, ', 3 * 2 ** 20);
	const raw = join(directory, 'raw');
	await writeFile(raw, content);
	return { raw, content };
}

const images: [what: string, format: string, options: string[]][] = [
	['qcow2', 'qcow2', []],
	['qcow2 of version 2', 'qcow2', ['-o', 'compat=0.10']],
	['compressed qcow2', 'qcow2', ['-c']],
	['qcow2 compressed by zstd', 'qcow2', ['-c', '-o', 'compression_type=zstd']],
	['qcow2 with subclusters', 'qcow2', ['-o', 'extended_l2=on']],
	['qcow2 with preallocated metadata', 'qcow2', ['-o', 'preallocation=metadata']],
	['sparse VMDK', 'vmdk', []],
	['stream-optimised VMDK', 'vmdk', ['-o', 'subformat=streamOptimized']],
	['VDI', 'vdi', []],
	['static VDI', 'vdi', ['-o', 'static=on']],
	['dynamic VHD', 'vpc', ['-o', 'force_size=on']],
	['VHDX', 'vhdx', []],
];

for (const [what, format, options] of images)
	test(`a ${what} cut anywhere is refused, unless nothing of its disk is missing`, async t => {
		const directory = await temporaryDirectory(t);
		const { raw, content } = await makeRaw(directory);
		const whole = join(directory, 'whole');
		await run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, whole]);
		const { size } = await stat(whole);
		assert.ok(await reads(t, whole, content));
		const image = join(directory, 'cut');
		let refused = 0;
		const places = [1, 511, 512, 1024, 5000, 65536, 2 ** 20].map(missing => size - missing);
		for (const place of [...places, Math.floor(size / 3), 66_000, 700].filter(bytes => bytes > 0)) {
			await copyFile(whole, image);
			await truncate(image, place);
			if (!(await reads(t, image, content))) refused++;
		}
		assert.ok(refused >= 3, `${refused} of the cuts were refused`);
	});

/** Whether it is taken, and then is `content`. */
async function reads(t: TestContext, path: string, content: Buffer): Promise<boolean> {
	let source: OpenedDisk;
	try {
		source = await opened(t, path);
	} catch (error) {
		assert.ok(error instanceof RouseError && error.code === 'source_invalid', String(error));
		return false;
	}
	const found = Buffer.alloc(source.sizeBytes);
	await source.read(0, found, never);
	await source.close();
	assert.ok(found.subarray(0, content.length).equals(content), `${path} is taken, and is not what it was`);
	return true;
}

test('a file too short for what a split VMDK, an ESX snapshot or a data file must hold is refused by name', async t => {
	const directory = await temporaryDirectory(t);
	const { raw } = await makeRaw(directory);
	const split = join(directory, 'web.vmdk');
	await run('qemu-img', ['convert', '-O', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse', raw, split]);
	const extent = join(directory, 'web-s001.vmdk');
	await truncate(extent, (await stat(extent)).size - 70_000);
	await assert.rejects(opened(t, split), {
		code: 'source_invalid',
		message: /web-s001\.vmdk is cut short: the file of 2\.12 MiB \(\d+ bytes\) ends before its grain at offset \d+/,
	});
	const image = join(directory, 'image.qcow2');
	const data = join(directory, 'image.data');
	await run('qemu-img', ['convert', '-O', 'qcow2', '-o', `data_file=${data}`, raw, image]);
	await (await opened(t, image, { withBacking: true })).close();
	await truncate(data, 3 * 2 ** 20);
	await assert.rejects(opened(t, image, { withBacking: true }), { message: /image\.data is cut short/ });
});

test('a VMDK whose parent was written since is refused by the names of both', async t => {
	const directory = await temporaryDirectory(t);
	const [base, top] = ['base.vmdk', 'top.vmdk'].map(name => join(directory, name));
	assert.ok(base !== undefined && top !== undefined);
	await run('qemu-img', ['create', '-q', '-f', 'vmdk', base, '1M']);
	await run('qemu-img', ['create', '-q', '-f', 'vmdk', '-b', 'base.vmdk', '-F', 'vmdk', top], { cwd: directory });
	await opened(t, top, { withBacking: true });
	// Without zeros before it, and as long as it was: all else has its place.
	const other = (id: string) => `${id[0] === '1' ? '2' : '1'}${id.slice(1)}`;
	const text = await readFile(top, 'latin1');
	const changed = text.replace(/^parentCID=(\w+)/m, (_, id: string) => `parentCID=${other(id)}`);
	await writeFile(top, changed, 'latin1');
	await assert.rejects(opened(t, top, { withBacking: true }), {
		code: 'source_invalid',
		message: /base\.vmdk is not what .*top\.vmdk was made upon: its CID is \w{8}, and should be \w{8};/,
	});
});

test('a description of a VMDK without data, or without a part of it, is told as that', async t => {
	const path = join(await temporaryDirectory(t), 'web.vmdk');
	const write = (line: string) => writeFile(path, `# Disk DescriptorFile\nversion=1\n${line}\n`);
	await write('createType="monolithicFlat"');
	await assert.rejects(opened(t, path), { message: /names no data$/ });
	await write('RW 0 FLAT "web-flat.vmdk" 0');
	await assert.rejects(opened(t, path), { message: /without sectors/ });
	await write('RW 8 FLAT "web-flat.vmdk" 0');
	await assert.rejects(opened(t, path), { message: /there is no .*web-flat\.vmdk/, hint: /copy all parts/ });
});

test('an extent of a split VMDK that holds more than its descriptor says is refused, unless nothing follows it', async t => {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'web.vmdk');
	await create('vmdk', image, 'subformat=twoGbMaxExtentSparse');
	const text = await readFile(image, 'latin1');
	const extents = (...lines: string[]) => writeFile(image, text.replace(/^RW .*$/m, lines.join('\n')), 'latin1');
	await extents('RW 16380 SPARSE "web-s001.vmdk"');
	assert.equal((await opened(t, image)).sizeBytes, 16380 * 512);
	await writeFile(join(directory, 'web-f002.vmdk'), Buffer.alloc(2 ** 20, 2));
	await extents('RW 16380 SPARSE "web-s001.vmdk"', 'RW 2048 FLAT "web-f002.vmdk" 0');
	await assert.rejects(opened(t, image), {
		code: 'source_invalid',
		message: /web-s001\.vmdk is damaged: it holds 8\.00 MiB, and its descriptor says 7\.99 MiB \(8386560 bytes\)$/,
	});
});

test('an ESX sparse extent (COWD) has its grains inside', async t => {
	const directory = await temporaryDirectory(t);
	const header = Buffer.alloc(4 * 512 + 4096 * 4 + 8 * 512);
	header.write('COWD');
	for (const [at, value] of [
		[4, 1],
		[8, 3],
		[12, 2048],
		[16, 8],
		[20, 3],
		[24, 1],
	] as const)
		header.writeUInt32LE(value, at);
	header.writeUInt32LE(4, 3 * 512);
	header.writeUInt32LE(4 + 32, 4 * 512);
	const image = join(directory, 'delta.vmdk');
	await writeFile(image, header);
	const text = ['# Disk DescriptorFile', 'version=1', 'CID=1', 'parentCID=ffffffff', 'createType="vmfsSparse"'];
	await writeFile(join(directory, 'd.vmdk'), [...text, 'RW 2048 VMFSSPARSE "d-delta.vmdk"', ''].join('\n'));
	await copyFile(image, join(directory, 'd-delta.vmdk'));
	await (await opened(t, join(directory, 'd.vmdk'))).close();
	await truncate(join(directory, 'd-delta.vmdk'), header.length - 1);
	await assert.rejects(opened(t, join(directory, 'd.vmdk')), { message: /d-delta\.vmdk is cut short/ });
});

test('a qcow2 whose machine was killed is whole, though its refcounts are not on record', async t => {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'dirty.qcow2');
	await run('qemu-img', ['create', '-f', 'qcow2', '-o', 'lazy_refcounts=on', image, '8M']);
	const killed = run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 3 0 1M', '-c', 'flush', '-c', 'sigraise 9', image]);
	await assert.rejects(killed);
	const content = Buffer.alloc(8 * 2 ** 20);
	content.fill(3, 0, 2 ** 20);
	assert.ok(await reads(t, image, content));
	await truncate(image, (await stat(image)).size - 65536);
	assert.ok(!(await reads(t, image, content)));
});

test('a raw backing file that is shorter than its overlay is doubted, one that is not is not', async t => {
	const directory = await temporaryDirectory(t);
	const { raw, content } = await makeRaw(directory);
	const image = join(directory, 'top.qcow2');
	await run('qemu-img', ['create', '-f', 'qcow2', '-F', 'raw', '-b', raw, image]);
	const doubts: string[] = [];
	const trust = { withBacking: true, onDoubt: (doubt: string) => doubts.push(doubt) };
	await (await opened(t, image, trust)).close();
	assert.deepEqual(doubts, []);
	await truncate(raw, 2 ** 20);
	await (await opened(t, image, trust)).close();
	assert.deepEqual(doubts, [
		`${raw} has 1.00 MiB, and the disk on it ${exactBytes(content.length)}: behind its end there are zeros. Is it cut short?`,
	]);
});

const changes: [what: string, message: RegExp, change: (path: string) => Promise<unknown>][] = [
	['grew', /had [^,]*\d bytes\)?, and has [^;]*\d bytes\)?;/, path => appendFile(path, 'more')],
	['shrank', /had [^,]*\d bytes\)?, and has 100 bytes;/, path => truncate(path, 100)],
	['was written', /it was written/, path => overwrite(path)],
	['was exchanged', /its name leads to another file/, path => exchange(path)],
	['was removed', /its name leads to another file, or none/, path => rm(path)],
];

async function overwrite(path: string): Promise<void> {
	const file = await open(path, 'r+');
	await file.write('x', 100);
	await file.close();
}

async function exchange(path: string): Promise<void> {
	await copyFile(path, `${path}.new`);
	await rename(`${path}.new`, path);
}

for (const [what, message, change] of changes)
	test(`\`checkUnchanged\` refuses a source of which a file ${what} since it was opened`, async t => {
		const directory = await temporaryDirectory(t);
		const { raw } = await makeRaw(directory);
		const image = join(directory, 'disk.vmdk');
		await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=monolithicFlat', raw, image]);
		for (const path of [image, join(directory, 'disk-flat.vmdk'), raw]) {
			const source = await opened(t, path === raw ? raw : image);
			await source.checkUnchanged?.();
			await change(path);
			await assert.rejects(async () => await source.checkUnchanged?.(), { code: 'source_invalid', message });
			await source.close();
			if (path !== raw)
				await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=monolithicFlat', raw, image]);
		}
	});

test('what cannot be decompressed is told by the name of the image and the place, and is permanent', async t => {
	const directory = await temporaryDirectory(t);
	const { raw } = await makeRaw(directory);
	const image = join(directory, 'rot.qcow2');
	await writeFile(raw, Buffer.alloc(5 * 2 ** 20, 'text of a guest\n'));
	await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, image]);
	const content = await readFile(image);
	content.fill(0xa5, 0x50064, 0x500a4);
	await writeFile(image, content);
	const source = await opened(t, image);
	await assert.rejects(source.read(0, Buffer.alloc(2 ** 20), never), (error: unknown) => {
		assert.ok(error instanceof RouseError);
		assert.match(error.message, /rot\.qcow2 is damaged: it cannot be read at offset 65536 of its disk: EIO/);
		assert.equal(error.retry, 'permanent');
		return true;
	});
});

const parts: [what: string, name: string, make: (path: string) => Promise<unknown>, message: RegExp, hint: RegExp][] = [
	[
		'a sparse part of a split VMDK',
		'web-s001.vmdk',
		path => create('vmdk', path.replace('-s001', ''), 'subformat=twoGbMaxExtentSparse'),
		/web-s001\.vmdk: it is one part of a split VMDK$/,
		/web\.vmdk/,
	],
	[
		'a flat part of a split VMDK',
		'web-f001.vmdk',
		path => create('vmdk', path.replace('-f001', ''), 'subformat=twoGbMaxExtentFlat'),
		/one part of a split VMDK$/,
		/description/,
	],
	[
		'an ESX delta',
		'web-delta.vmdk',
		path => writeFile(path, Buffer.alloc(4096).fill('COWD', 0, 4)),
		/\(COWD\)/,
		/web\.vmdk/,
	],
	[
		'an ESXi snapshot',
		'web-sesparse.vmdk',
		path => writeFile(path, Buffer.concat([Buffer.from('bebafeca00000000', 'hex'), Buffer.alloc(4096)])),
		/\(SEsparse\)/,
		/--with-backing/,
	],
	['a differencing VDI', 'web.vdi', path => differencingVdi(path), /only a part, a differencing disk/, /merge/],
	['an encrypted qcow2', 'web.qcow2', path => encryptedQcow2(path), /it is encrypted/, /decrypt/],
];

async function create(format: string, path: string, options: string): Promise<void> {
	await run('qemu-img', ['create', '-f', format, '-o', options, path, '8M']);
}

/** By its header alone ("crypt_method"): QEMU takes seconds to derive a key. */
async function encryptedQcow2(path: string): Promise<void> {
	await create('qcow2', path, 'compat=1.1');
	const content = await readFile(path);
	content.writeUInt32BE(2, 32);
	await writeFile(path, content);
}

async function differencingVdi(path: string): Promise<void> {
	await create('vdi', path, 'static=off');
	const content = await readFile(path);
	content.writeUInt32LE(4, 76);
	await writeFile(path, content);
}

for (const [what, name, make, message, hint] of parts)
	test(`${what} is refused as what it is`, async t => {
		const path = join(await temporaryDirectory(t), name);
		await make(path);
		await assert.rejects(opened(t, path), (error: unknown) => {
			assert.ok(error instanceof RouseError && error.code === 'source_invalid', String(error));
			assert.match(error.message, message);
			assert.match(error.hint ?? '', hint);
			return true;
		});
	});

test('a name in a circle of links, or too long, is told as that', async t => {
	const directory = await temporaryDirectory(t);
	await symlink('loop', join(directory, 'loop'));
	await assert.rejects(opened(t, join(directory, 'loop')), { code: 'source_invalid', message: /in a circle/ });
	await assert.rejects(opened(t, join(directory, 'x'.repeat(300))), {
		code: 'source_invalid',
		message: /so long a name/,
	});
	await assert.rejects(opened(t, join(directory, 'loop/x')), { code: 'source_invalid', message: /in a circle/ });
});
