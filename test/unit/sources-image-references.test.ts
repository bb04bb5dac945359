import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { referredPath } from '../../sources/opened-file.ts';
import { parseQcow2Header } from '../../sources/qcow2-header.ts';
import { embeddedDescriptor, parseVmdkDescriptor } from '../../sources/vmdk-descriptor.ts';

interface Qcow2Parts {
	version?: number;
	backing?: Buffer;
	incompatible?: bigint;
	autoclear?: bigint;
	extensions?: [type: number, data: Buffer][];
}

/** A first cluster of 64 KiB as QEMU lays it out: header, extensions, name of the backing file. */
function qcow2({ version = 3, backing, incompatible = 0n, autoclear = 0n, extensions = [] }: Qcow2Parts): Buffer {
	const cluster = Buffer.alloc(65536);
	cluster.write('QFI\xfb', 'latin1');
	cluster.writeUInt32BE(version, 4);
	cluster.writeUInt32BE(16, 20);
	cluster.writeBigUInt64BE(2n ** 30n, 24);
	if (version === 3) {
		cluster.writeBigUInt64BE(incompatible, 72);
		cluster.writeBigUInt64BE(autoclear, 88);
		cluster.writeUInt32BE(112, 100);
	}
	let at = version === 3 ? 112 : 72;
	for (const [type, data] of extensions) {
		cluster.writeUInt32BE(type, at);
		cluster.writeUInt32BE(data.length, at + 4);
		data.copy(cluster, at + 8);
		at += 8 + Math.ceil(data.length / 8) * 8;
	}
	at += 8; // the extension that ends them
	if (backing) {
		cluster.writeBigUInt64BE(BigInt(at), 8);
		cluster.writeUInt32BE(backing.length, 16);
		backing.copy(cluster, at);
	}
	return cluster;
}

const backingFormat = 0xe2792aca;
const dataFileName = 0x44415441;

describe('`parseQcow2Header`', () => {
	it('tells backing file and format, of both versions', () => {
		for (const version of [2, 3]) {
			const extensions: [number, Buffer][] = [
				[0x6803f857, Buffer.alloc(384)], // feature names, as QEMU writes them
				[backingFormat, Buffer.from('raw')],
			];
			const found = parseQcow2Header(qcow2({ version, backing: Buffer.from('/base/ä.raw'), extensions }));
			assert.deepEqual(found, {
				virtualBytes: 2 ** 30,
				backing: '/base/ä.raw',
				backingFormat: 'raw',
				dataFile: undefined,
				dataFileIsRaw: false,
			});
		}
	});

	it('tells the data file of an image that has one, and no other', () => {
		const extensions: [number, Buffer][] = [[dataFileName, Buffer.from('disk.data')]];
		const found = parseQcow2Header(qcow2({ incompatible: 4n, autoclear: 2n, extensions }));
		assert.deepEqual([found.dataFile, found.dataFileIsRaw], ['disk.data', true]);
		assert.equal(parseQcow2Header(qcow2({ extensions })).dataFile, undefined);
		assert.throws(() => parseQcow2Header(qcow2({ incompatible: 4n })), /does not say where its data file is/);
	});

	const broken: [string, (header: Buffer) => void, RegExp][] = [
		['another magic', header => header.fill(0, 0, 4), /has no header/],
		['version 1', header => header.writeUInt32BE(1, 4), /version is 1/],
		['clusters of 4 GiB', header => header.writeUInt32BE(32, 20), /clusters have 2\^32 bytes/],
		['a header longer than a cluster', header => header.writeUInt32BE(65_544, 100), /header has 65544 bytes/],
		['a name beyond its cluster', header => header.writeBigUInt64BE(65_537n, 8), /offset 65537/],
		[
			'a name at the end of all numbers',
			header => header.writeBigUInt64BE(2n ** 64n - 1n, 8),
			/offset 18446744073709551615/,
		],
		['a name that is too long', header => header.writeUInt32BE(1024, 16), /has 1024 bytes/],
		['a name that is no UTF-8', header => header.fill(0xff, 136, 146), /no UTF-8/],
		[
			'an extension beyond all others',
			header => header.writeUInt32BE(0xffffffff, 116),
			/extension has 4294967295 bytes/,
		],
	];
	for (const [what, breakIt, message] of broken)
		it(`refuses ${what}`, () => {
			const header = qcow2({ backing: Buffer.from('base.qcow2'), extensions: [[backingFormat, Buffer.from('qcow2')]] });
			breakIt(header);
			assert.throws(() => parseQcow2Header(header), { code: 'source_invalid', message });
		});

	it('answers or refuses whatever it is given', () => {
		const parts = fc.record({
			version: fc.constantFrom(2, 3, 4),
			incompatible: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
			extensions: fc.array(
				fc.tuple(
					fc.constantFrom(backingFormat, dataFileName, 7),
					fc.uint8Array({ maxLength: 99 }).map(data => Buffer.from(data)),
				),
				{ maxLength: 5 },
			),
		});
		const scribbles = fc.array(fc.tuple(fc.nat(260), fc.nat(255)), { maxLength: 12 });
		fc.assert(
			fc.property(parts, scribbles, fc.nat(65_536), (given, writes, length) => {
				const header = qcow2(given);
				for (const [at, byte] of writes) header[at] = byte;
				answersOrRefuses(() => parseQcow2Header(header.subarray(0, length)));
			}),
		);
	});
});

const descriptor = (...lines: string[]) =>
	['# Disk DescriptorFile', 'version=1', 'CID=fffffffe', 'parentCID=ffffffff', ...lines].join('\r\n');

describe('`parseVmdkDescriptor`', () => {
	it('tells the extents that lie beside it', () => {
		const text = descriptor(
			'createType="twoGbMaxExtentSparse"',
			'RW 4192256 SPARSE "web01-s001.vmdk"',
			'RW 2048 FLAT "web01-flat.vmdk" 63',
			'RW 40960 VMFS "web01_x.vmdk"',
			'ddb.adapterType = "lsilogic"',
		);
		assert.deepEqual(parseVmdkDescriptor(text, '/images/web01.VMDK').extents, [
			{ name: 'web01-s001.vmdk', sizeBytes: 4192256 * 512, flatAtBytes: undefined },
			{ name: 'web01-flat.vmdk', sizeBytes: 2048 * 512, flatAtBytes: 63 * 512 },
			{ name: 'web01_x.vmdk', sizeBytes: 40960 * 512, flatAtBytes: 0 },
		]);
	});

	it('keeps from QEMU what it would leave out, and nothing else', () => {
		const isForUsAlone = (...lines: string[]) => parseVmdkDescriptor(descriptor(...lines), 'web01.vmdk').isForUsAlone;
		const [flat, kind] = ['RW 2048 FLAT "web01-flat.vmdk" 0', 'createType="monolithicFlat"'];
		assert.equal(isForUsAlone(kind, flat), false);
		assert.equal(isForUsAlone('createType="vmfs"', 'RW 2048 VMFS "web01-flat.vmdk"'), false);
		for (const line of ['RW 2048 ZERO', 'RDONLY 2048 FLAT "web01-flat.vmdk" 0', 'RW 2048 VMFS "web01-flat.vmdk" 0'])
			assert.equal(isForUsAlone(kind, flat, line), true);
		assert.equal(isForUsAlone('createType="custom"', flat), true);
	});

	it('does not look at the extents of a file that is the disk itself', () => {
		const text = descriptor('createType="streamOptimized"', 'RDONLY 2048 SPARSE "generated-stream.vmdk"');
		const { extents, parent } = parseVmdkDescriptor(text, 'web01.vmdk', true);
		assert.deepEqual([extents, parent], [[], undefined]);
		assert.throws(() => parseVmdkDescriptor(text, 'web01.vmdk'), /not understood/);
	});

	it('tells the parent of a snapshot, and refuses one that names none', () => {
		const extent = 'RW 2048 SPARSE "a-s001.vmdk"';
		const snapshot = ['# x', extent, 'CID=ABCD', 'parentCID=1234abcd', 'parentFileNameHint="base.vmdk"'];
		assert.equal(parseVmdkDescriptor(snapshot.join('\n'), 'a.vmdk').parent, 'base.vmdk');
		const { contentId, parentContentId } = parseVmdkDescriptor(snapshot.join('\n'), 'a.vmdk');
		assert.deepEqual([contentId, parentContentId], ['0000abcd', '1234abcd']);
		assert.throws(() => parseVmdkDescriptor(snapshot.slice(0, 4).join('\n'), 'a.vmdk'), /does not say of what/);
		assert.equal(parseVmdkDescriptor(descriptor(extent, 'parentFileNameHint="base.vmdk"'), 'a.vmdk').parent, undefined);
	});

	for (const name of [
		'/etc/shadow',
		'../web01-flat.vmdk',
		'sub/web01-flat.vmdk',
		'web01/../x',
		'web01\\..\\x',
		'web02-flat.vmdk',
		'web012-flat.vmdk',
		'WEB01-flat.vmdk',
		'web01-:nbd.vmdk',
		'web01-\x07.vmdk',
		'nbd:web01',
		'json:{}',
		'',
		`web01-${'x'.repeat(250)}`,
	])
		it(`refuses an extent called ${JSON.stringify(name.slice(0, 40))}`, () => {
			const text = descriptor(`RW 2048 FLAT "${name}" 0`);
			assert.throws(() => parseVmdkDescriptor(text, '/images/web01.vmdk'), {
				code: 'source_invalid',
				message: /only files beside it are read whose names begin with "web01"/,
			});
		});

	for (const line of [
		'RW 2048 FLAT "/dev/sda" 0',
		'RW 2048 VMFSRDM "web01-rdm.vmdk"',
		'RW 2048 VMFSRAW "web01-rdm.vmdk"',
		'createType="fullDevice"',
		'createType="partitionedDevice"',
	])
		it(`says of ${line} that it is a device`, () =>
			assert.throws(() => parseVmdkDescriptor(descriptor(line), 'web01.vmdk'), /stands for a device of the host/));

	for (const line of [
		'RDONLY 2048 SPARSE "web01-s001.vmdk"',
		'NOACCESS 2048 ZERO',
		'RW 2048 ZERO\nRW 2048 SPARSE "web01-s001.vmdk"',
		'rw 2048 FLAT "web01-flat.vmdk" 0',
		'RW 2048 flat "web01-flat.vmdk" 0',
		'RW -5 FLAT "web01-flat.vmdk" 0',
		'RW 2048 FLAT web01-flat.vmdk 0',
		'RW 2048 SPARSE "web01-s001.vmdk" 5',
		'RW 2048 FLAT "web01-flat.vmdk" 0 more',
		`RW 2048 FLAT ${' '.repeat(500_000)}x`,
	])
		it(`refuses ${JSON.stringify(line.slice(0, 50))}, which QEMU leaves out`, () =>
			assert.throws(
				() => parseVmdkDescriptor(descriptor(line), 'web01.vmdk'),
				/not understood|nobody may read|QEMU leaves out/,
			));

	it('answers or refuses whatever it is given', () => {
		const word = fc.constantFrom(
			'RW',
			'2048',
			'FLAT',
			'SPARSE',
			'"web01-flat.vmdk"',
			'"',
			'=',
			'parentCID',
			'\0',
			' ',
			'\n',
		);
		const text = fc.oneof(
			fc.array(fc.oneof(word, fc.string()), { maxLength: 60 }).map(words => words.join(' ')),
			fc.string(),
		);
		fc.assert(fc.property(text, given => answersOrRefuses(() => parseVmdkDescriptor(given, 'web01.vmdk'))));
	});
});

describe('`embeddedDescriptor`', () => {
	function sparse(capacity: bigint, at: bigint, length: bigint): Buffer {
		const header = Buffer.alloc(512);
		header.write('KDMV');
		for (const [field, value] of [
			[12, capacity],
			[28, at],
			[36, length],
		] as const)
			header.writeBigUInt64LE(value, field);
		return header;
	}

	it('tells where it is, and whether its extents are the file itself', () => {
		assert.deepEqual(embeddedDescriptor(sparse(2048n, 1n, 20n)), { atBytes: 512, lengthBytes: 10_240, isWhole: true });
		assert.deepEqual(embeddedDescriptor(sparse(0n, 1n, 20n)), { atBytes: 512, lengthBytes: 2 ** 20, isWhole: false });
		assert.equal(embeddedDescriptor(sparse(2048n, 0n, 0n)), undefined);
	});

	it('asks for one MiB at most', () =>
		assert.equal(embeddedDescriptor(sparse(2048n, 1n, 2n ** 64n - 1n))?.lengthBytes, 2 ** 20));
});

describe('`referredPath`', () => {
	it('is absolute, or relative to the image', () => {
		assert.equal(referredPath('/images/top.qcow2', '/base/x.raw'), '/base/x.raw');
		assert.equal(referredPath('/images/top.qcow2', '../base/x:y.raw'), '/base/x:y.raw');
	});

	for (const name of [
		'json:{"driver":"file","filename":"/etc/shadow"}',
		'nbd://h/x',
		'nbd:unix:/s',
		'file:/etc/shadow',
		'C:\\x.vmdk',
		'a\nb',
		'/x\x9b1m',
		'',
	])
		it(`refuses ${JSON.stringify(name)}`, () =>
			assert.throws(() => referredPath('/images/top.qcow2', name), {
				code: 'source_invalid',
				message: /no plain path/,
			}));
});

function answersOrRefuses(parse: () => unknown): void {
	try {
		parse();
	} catch (error) {
		assert.ok(error instanceof RouseError, String(error));
		assert.equal(error.code, 'source_invalid');
	}
}
