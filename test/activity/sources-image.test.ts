import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import type { OpenedDisk } from '../../sources/disk-facts.ts';
import type { ImageTrust } from '../../sources/image-layers.ts';
import { openSource } from '../../sources/open-source.ts';
import { waitFor } from '../../system/wait.ts';
import { type Captive, captive, temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

async function opened(t: TestContext, path: string, trust: ImageTrust = {}): Promise<OpenedDisk> {
	const source = await openSource(path, { ...trust, signal: never });
	t.after(() => source.close());
	return source;
}

async function contentOf(source: OpenedDisk): Promise<{ content: Buffer; extents: SourceExtent[] }> {
	const content = Buffer.alloc(source.sizeBytes);
	const extents: SourceExtent[] = [];
	for await (const extent of source.extents(never)) {
		extents.push(extent);
		if (extent.kind === 'zero') continue;
		await source.read(
			extent.offsetBytes,
			content.subarray(extent.offsetBytes, extent.offsetBytes + extent.lengthBytes),
			never,
		);
	}
	return { content, extents };
}

/** Eight MiB with data at the beginning and near the end. */
async function makeRaw(
	t: TestContext,
	sizeBytes = 8 * 2 ** 20,
): Promise<{ directory: string; raw: string; content: Buffer }> {
	const directory = await temporaryDirectory(t);
	const content = Buffer.alloc(sizeBytes);
	randomBytes(1_000_000).copy(content, 0);
	randomBytes(500_000).copy(content, sizeBytes - 500_000);
	const raw = join(directory, 'disk,1.raw'); // a comma means something to QEMU
	await writeFile(raw, content);
	await run('fallocate', ['--dig-holes', raw]);
	return { directory, raw, content };
}

const containers: [string, string, string[]][] = [
	['qcow2', 'qcow2', []],
	['compressed qcow2', 'qcow2', ['-c']],
	['VMDK', 'vmdk', []],
	['stream-optimised VMDK', 'vmdk', ['-o', 'subformat=streamOptimized']],
	['flat VMDK', 'vmdk', ['-o', 'subformat=monolithicFlat']],
	['VHDX', 'vhdx', []],
	['dynamic VHD', 'vpc', ['-o', 'force_size=on']],
	['fixed VHD', 'vpc', ['-o', 'subformat=fixed,force_size=on']],
];

for (const [what, format, options] of containers)
	test(`the disk in a ${what} is detected and read as it is`, async t => {
		const { directory, raw, content } = await makeRaw(t);
		const image = join(directory, 'image');
		await run('qemu-img', ['convert', '-O', format, ...options, raw, image]);
		const source = await opened(t, image);
		assert.equal(source.sizeBytes, content.length);
		assert.ok((await contentOf(source)).content.equals(content));
	});

test('a VMDK that is one file is read by whatever name, as downloads and appliances have them', async t => {
	const { directory, raw, content } = await makeRaw(t);
	for (const subformat of ['monolithicSparse', 'streamOptimized']) {
		const made = join(directory, 'generated-stream.vmdk');
		const image = join(directory, `${subformat}.vmdk`);
		await run('qemu-img', ['convert', '-O', 'vmdk', '-o', `subformat=${subformat}`, raw, made]);
		await rename(made, image);
		assert.ok((await contentOf(await opened(t, image))).content.equals(content));
	}
});

test('a VMDK in two pieces is read whole', async t => {
	const { directory, content } = await makeRaw(t);
	const [first, second] = ['web01-f001.vmdk', 'web01-f002.vmdk'].map(name => join(directory, name));
	assert.ok(first && second);
	await writeFile(first, content.subarray(0, 2 ** 20));
	await writeFile(second, content.subarray(2 ** 20));
	const lines = [2 ** 11, (content.length - 2 ** 20) / 512].map(
		(size, index) => `RW ${size} FLAT "web01-f00${index + 1}.vmdk" 0`,
	);
	const header = [
		'# Disk DescriptorFile',
		'version=1',
		'CID=1',
		'parentCID=ffffffff',
		'createType="twoGbMaxExtentFlat"',
	];
	await writeFile(join(directory, 'web01.vmdk'), [...header, ...lines, ''].join('\n'));
	assert.ok((await contentOf(await opened(t, join(directory, 'web01.vmdk')))).content.equals(content));
});

test('an image is told by its format and its name, and has neither serial number nor sectors to tell', async t => {
	const { raw } = await makeRaw(t);
	const { facts } = await opened(t, raw);
	assert.deepEqual(facts, { origin: { kind: 'image', detail: 'raw disk,1.raw' }, serial: null });
});

test('a VHDX tells the sectors of its disk', async t => {
	const { directory, raw } = await makeRaw(t);
	const image = join(directory, 'disk.vhdx');
	await run('qemu-img', ['convert', '-O', 'vhdx', raw, image]);
	const sectors = async () => (await opened(t, image)).facts.sectors;
	assert.deepEqual(await sectors(), { logicalSectorBytes: 512, physicalSectorBytes: 512 });
	const content = await readFile(image);
	// Item "Physical Sector Size Disk" ([MS-VHDX] 2.6.2.5) as QEMU 7.2 lays it out: metadata region at 3 MiB.
	const table = content.subarray(3 * 2 ** 20);
	const entry = table.indexOf(Buffer.from('C748A3CD5D4471449CC9E9885251C556', 'hex'));
	table.writeUInt32LE(4096, table.readUInt32LE(entry + 16));
	await writeFile(image, content);
	assert.deepEqual(await sectors(), { logicalSectorBytes: 512, physicalSectorBytes: 4096 });
});

test('a raw file has its own size to the byte, and its holes are not read', async t => {
	const { raw, content } = await makeRaw(t, 8 * 2 ** 20 + 333);
	const source = await opened(t, raw);
	assert.equal(source.sizeBytes, 8 * 2 ** 20 + 333);
	const found = await contentOf(source);
	assert.ok(found.content.equals(content));
	assert.deepEqual(
		found.extents.map(({ kind }) => kind),
		['data', 'zero', 'data'],
	);
	const last = found.extents.at(-1);
	assert.equal((last?.offsetBytes ?? 0) + (last?.lengthBytes ?? 0), source.sizeBytes);
});

test('what a VHDX has no block of is not read', async t => {
	const { directory, raw, content } = await makeRaw(t, 8 * 2 ** 20 + 512);
	const image = join(directory, 'disk.vhdx');
	await run('qemu-img', ['convert', '-O', 'vhdx', '-o', 'block_size=1M', raw, image]);
	const source = await opened(t, image);
	const found = await contentOf(source);
	assert.ok(found.content.equals(content));
	const zeroBytes = found.extents.reduce((sum, { kind, lengthBytes }) => sum + (kind === 'zero' ? lengthBytes : 0), 0);
	assert.ok(zeroBytes >= 6 * 2 ** 20, `${zeroBytes} are told as zeros`);
});

test('a raw file smaller than a sector is a disk too', async t => {
	const directory = await temporaryDirectory(t);
	await writeFile(join(directory, 'disk.raw'), 'seven b');
	const source = await opened(t, join(directory, 'disk.raw'));
	assert.equal((await contentOf(source)).content.toString(), 'seven b');
});

test('an open source has nothing in the temporary directory, and closing it ends its server', async t => {
	const { directory, raw } = await makeRaw(t);
	const temporary = join(directory, 'tmp');
	await mkdir(temporary);
	const before = process.env['TMPDIR'];
	process.env['TMPDIR'] = temporary;
	t.after(() => {
		if (before === undefined) delete process.env['TMPDIR'];
		else process.env['TMPDIR'] = before;
	});
	const source = await openSource(raw, { signal: never });
	assert.deepEqual(await readdir(temporary), []);
	const write = () => run('qemu-io', ['-f', 'raw', '-c', 'write 0 512', raw]);
	await assert.rejects(write(), /Failed to get "write" lock/);
	await source.close();
	await source.close();
	await write();
});

for (const [what, format] of [
	['qcow2', 'qcow2'],
	['VMDK', 'vmdk'],
	['VHDX', 'vhdx'],
	['VHD', 'vpc'],
] as const)
	test(`a ${what} whose end is missing is refused as cut short`, async t => {
		const { directory, raw } = await makeRaw(t);
		const image = join(directory, 'image');
		await run('qemu-img', ['convert', '-O', format, raw, image]);
		await truncate(image, Math.floor(((await stat(image)).size * 3) / 4));
		await assert.rejects(openSource(image, { signal: never }), { code: 'source_invalid', message: /cut short/ });
	});

test('a flat VMDK whose data file is cut short is refused, which qemu-img check does not see', async t => {
	const { directory, raw } = await makeRaw(t);
	await run('qemu-img', ['convert', '-O', 'vmdk', '-o', 'subformat=monolithicFlat', raw, join(directory, 'disk.vmdk')]);
	await truncate(join(directory, 'disk-flat.vmdk'), 4 * 2 ** 20);
	await assert.rejects(openSource(join(directory, 'disk.vmdk'), { signal: never }), {
		code: 'source_invalid',
		message: /disk-flat\.vmdk is cut short: 4\.00 MiB of 8\.00 MiB are/,
	});
});

test('a fixed VHD that lost its footer is not taken for a raw disk, unless the person says so', async t => {
	const { directory, raw } = await makeRaw(t);
	const image = join(directory, 'disk.vhd');
	await run('qemu-img', ['convert', '-O', 'vpc', '-o', 'subformat=fixed,force_size=on', raw, image]);
	await truncate(image, 8 * 2 ** 20);
	await assert.rejects(openSource(image, { signal: never }), {
		code: 'source_invalid',
		message: /called \.vhd but is no vhd image, or is cut short/,
	});
	assert.equal((await opened(t, image, { format: 'raw' })).sizeBytes, 8 * 2 ** 20);
});

test('an image of another format than said is refused with both names', async t => {
	const { directory, raw } = await makeRaw(t);
	const image = join(directory, 'image');
	await run('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
	await assert.rejects(openSource(image, { format: 'vmdk', signal: never }), {
		code: 'source_invalid',
		message: /is qcow2, not vmdk$/,
	});
	await assert.rejects(openSource(raw, { format: 'qcow2', signal: never }), {
		code: 'source_invalid',
		message: /disk,1\.raw is no qcow2 image/,
	});
});

test('`--format raw` is obeyed whatever the content looks like', async t => {
	const { directory, raw } = await makeRaw(t);
	const image = join(directory, 'image');
	for (const format of ['qcow2', 'vmdk', 'vpc']) {
		await run('qemu-img', ['convert', '-O', format, raw, image]);
		const source = await opened(t, image, { format: 'raw' });
		assert.ok((await contentOf(source)).content.equals(await readFile(image)));
		await source.close();
	}
	for (const beginning of ['QED\0', 'COWD', 'LUKS\xba\xbe']) {
		const content = Buffer.concat([Buffer.from(beginning, 'latin1'), randomBytes(100_000)]);
		await writeFile(join(directory, 'x.dmg'), content);
		const source = await opened(t, join(directory, 'x.dmg'), { format: 'raw' });
		assert.ok((await contentOf(source)).content.equals(content));
		await source.close();
	}
});

test('a damaged image is refused', async t => {
	const { directory, raw } = await makeRaw(t);
	const image = join(directory, 'image');
	await run('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
	const file = await open(image, 'r+');
	await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, 0x10000); // the refcount table's first cluster
	await file.close();
	await assert.rejects(openSource(image, { signal: never }), { code: 'source_invalid' });
});

test('a backing file is read with `withBacking` alone, and told of', async t => {
	const { directory, raw, content } = await makeRaw(t);
	const image = join(directory, 'top.qcow2');
	await run('qemu-img', ['create', '-f', 'qcow2', '-F', 'raw', '-b', 'disk,1.raw', image]);
	for (const format of [undefined, 'qcow2'] as const)
		await assert.rejects(openSource(image, { format, signal: never }), {
			code: 'source_invalid',
			message: /only a part: the rest is in "disk,1\.raw"/,
		});
	const told: string[] = [];
	const source = await opened(t, image, { withBacking: true, onReference: message => told.push(message) });
	assert.ok((await contentOf(source)).content.equals(content));
	assert.deepEqual(told, [`beneath ${image}, raw is read from ${raw}`]);
});

test('a chain of formats is read whole: qcow2 on VMDK on flat VMDK', async t => {
	const { directory, raw, content } = await makeRaw(t);
	const [top, middle, base] = ['top.qcow2', 'middle.vmdk', 'base.vmdk'].map(name => join(directory, name));
	assert.ok(top && middle && base);
	await run('qemu-img', ['convert', '-O', 'vmdk', '-o', 'subformat=monolithicFlat', raw, base]);
	await run('qemu-img', ['create', '-f', 'vmdk', '-F', 'vmdk', '-b', base, middle]);
	await run('qemu-img', ['create', '-f', 'qcow2', '-F', 'vmdk', '-b', middle, top]);
	await run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 64k 64k', top]);
	content.fill(7, 65536, 131072);
	await assert.rejects(openSource(middle, { signal: never }), {
		message: /only a part: the rest is in ".*base\.vmdk"/,
	});
	assert.ok((await contentOf(await opened(t, top, { withBacking: true }))).content.equals(content));
});

test('a backing file whose format is not on record is not trusted for what it refers to', async t => {
	const { directory, raw, content } = await makeRaw(t);
	const [top, middle] = ['top.qcow2', 'middle.qcow2'].map(name => join(directory, name));
	assert.ok(top && middle);
	await run('qemu-img', ['create', '-f', 'qcow2', '-F', 'raw', '-b', raw, middle]);
	await run('qemu-img', ['create', '-f', 'qcow2', '-F', 'qcow2', '-b', middle, top]);
	assert.ok((await contentOf(await opened(t, top, { withBacking: true }))).content.equals(content));
	const header = await readFile(top);
	header.writeUInt32BE(0x12345678, header.indexOf(Buffer.from('e2792aca', 'hex')));
	await writeFile(top, header);
	await assert.rejects(opened(t, top, { withBacking: true }), { message: /middle\.qcow2 is only a part/ });
});

test('an external data file is read with `withBacking` alone, and must be whole', async t => {
	const { directory, raw, content } = await makeRaw(t);
	const image = join(directory, 'image.qcow2');
	const data = join(directory, 'image.data');
	await run('qemu-img', ['convert', '-O', 'qcow2', '-o', `data_file=${data},data_file_raw=on`, raw, image]);
	await assert.rejects(opened(t, image, { format: 'qcow2' }), {
		message: /only a part: the rest is in ".*image\.data"/,
	});
	const told: string[] = [];
	const source = await opened(t, image, { withBacking: true, onReference: message => told.push(message) });
	assert.ok((await contentOf(source)).content.equals(content));
	assert.deepEqual(told, [`the data of ${image} is read from ${data}`]);
	await source.close();
	await truncate(data, 4 * 2 ** 20);
	await assert.rejects(opened(t, image, { withBacking: true }), { message: /image\.data is cut short: 4\.00 MiB of/ });
});

function machineOn(t: TestContext, path: string, driver: string): Captive {
	const filename = path.replace(',', ',,');
	return captive(t, 'qemu-system-x86_64', [
		'-S',
		'-nodefaults',
		'-display',
		'none',
		'-accel',
		'tcg',
		'-qmp',
		'stdio',
		'-blockdev',
		`driver=${driver},node-name=disk,file.driver=file,file.filename=${filename}`,
		'-device',
		'virtio-blk-pci,drive=disk',
	]);
}

for (const driver of ['qcow2', 'raw'])
	test(`the ${driver} image of a running machine is refused as locked`, async t => {
		const { directory, raw } = await makeRaw(t);
		const image = join(directory, 'disk,2');
		await run('qemu-img', ['convert', '-O', driver, raw, image]);
		const machine = machineOn(t, image, driver);
		await waitFor('QEMU to have its disks', () => machine.said().includes('"QMP"'), { timeoutMs: 20_000 });
		await assert.rejects(openSource(image, { signal: never }), { code: 'lock_held', message: /a machine runs on it/ });
		await machine.end();
		await opened(t, image);
	});

test('no machine can start on an image while it is read', async t => {
	const { raw } = await makeRaw(t);
	await opened(t, raw);
	const machine = machineOn(t, raw, 'raw');
	await waitFor('QEMU to give up', () => machine.child.exitCode !== null, { timeoutMs: 20_000 });
	assert.match(machine.said(), /Failed to get "write" lock/);
});

test('a disk that its guest encrypted whole, or an optical disc, is taken as it is, and told', async t => {
	const directory = await temporaryDirectory(t);
	const disc = Buffer.alloc(65_536);
	disc.write('\x01CD001', 32_768, 'latin1');
	const luks = Buffer.alloc(65_536, 0xa5);
	luks.write('LUKS\xba\xbe', 0, 'latin1');
	for (const [name, content, told] of [
		['luks.img', luks, /LUKS/],
		['disc.iso', disc, /optical disc/],
	] as const) {
		const path = join(directory, name);
		await writeFile(path, content);
		const doubts: string[] = [];
		const source = await openSource(path, { signal: never, onDoubt: doubt => doubts.push(doubt) });
		t.after(() => source.close());
		assert.ok((await contentOf(source)).content.equals(content));
		assert.equal(doubts.length, 1);
		assert.match(doubts[0] ?? '', told);
	}
});

test('what is no disk at all is refused in plain words', async t => {
	const directory = await temporaryDirectory(t);
	await writeFile(join(directory, 'empty.raw'), '');
	const refusals: [string, RegExp][] = [
		[join(directory, 'missing.raw'), /there is no .*missing\.raw/],
		[join(directory, 'empty.raw'), /is empty/],
		[directory, /neither a file nor a block device/],
		['/dev/null', /neither a file nor a block device/],
	];
	for (const [path, message] of refusals)
		await assert.rejects(openSource(path, { signal: never }), { code: 'source_invalid', message });
});

test('an abort while an image is opened leaves no server behind', async t => {
	const { directory, raw } = await makeRaw(t);
	const image = join(directory, 'disk.qcow2');
	await run('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
	const stop = new AbortController();
	const opening = openSource(image, { signal: stop.signal });
	const reason = new Error('enough');
	setImmediate(() => stop.abort(reason));
	await assert.rejects(opening, reason);
	// Nobody holds the image: QEMU opens it for writing.
	await run('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512', image]);
});
