import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import { asRouseError } from '../../model/errors.ts';
import type { FileNode } from '../../inspection/file-node.ts';
import { readInitramfs } from '../../inspection/initramfs/contents.ts';
import { cpioOf, type Files, initramfsFiles, kernelVersion } from '../equipment/guest-trees.ts';

const wanted = new Set(['hv_vmbus', 'hv_storvsc', 'virtio_blk']);

/** In pieces that end anywhere. */
function fileOf(content: Buffer, pieceBytes = 1000): FileNode {
	return {
		kind: 'file',
		sizeBytes: content.length,
		async *content(fromBytes) {
			for (let at = fromBytes; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
		},
		async *entries() {},
	};
}

async function modulesIn(content: Buffer, pieceBytes?: number) {
	const { versions } = await readInitramfs(fileOf(content, pieceBytes), wanted);
	return [...(versions.get(kernelVersion)?.modules ?? [])].toSorted();
}

const microcode = Buffer.concat([cpioOf({ 'kernel/x86/microcode/GenuineIntel.bin': 'code' }), Buffer.alloc(512 - 300)]);
const main = cpioOf(initramfsFiles(['hv-vmbus', 'hv_storvsc', 'ext4']));
const both = ['hv_storvsc', 'hv_vmbus'];

/** A legacy frame of one block: literals alone. */
function lz4Of(content: Buffer): Buffer {
	const long = content.length - 15;
	const length = [...Buffer.alloc(Math.floor(long / 255), 255), long % 255];
	const block = Buffer.concat([Buffer.from([0xf0, ...length]), content]);
	const head = Buffer.alloc(8);
	head.writeUInt32LE(0x184c2102, 0);
	head.writeUInt32LE(block.length, 4);
	return Buffer.concat([head, block]);
}

suite('`readInitramfs`', () => {
	for (const [what, packed] of [
		['as it is', main],
		['by gzip', gzipSync(main)],
		['by zstd', zstdCompressSync(main)],
		['by lz4', lz4Of(main)],
	] as const)
		test(`finds the modules in archives packed ${what}, behind microcode, in pieces of any length`, async () => {
			for (const pieceBytes of [1, 7, 1000, 1_000_000])
				assert.deepEqual(await modulesIn(Buffer.concat([microcode, packed]), pieceBytes), both);
		});

	test('finds what lies behind an archive, packed or not, with zeros between', async () => {
		const more = cpioOf(initramfsFiles(['virtio_blk.ko']));
		const last = cpioOf(initramfsFiles(['virtio_blk']));
		for (const first of [main, gzipSync(main), zstdCompressSync(main), lz4Of(main)])
			for (const zeros of [4, 512])
				for (const next of [last, gzipSync(last), zstdCompressSync(last)]) {
					const content = Buffer.concat([first, Buffer.alloc(zeros), next, Buffer.alloc(16)]);
					assert.deepEqual(await modulesIn(content), [...both, 'virtio_blk']);
				}
		assert.deepEqual(await modulesIn(Buffer.concat([main, more])), both);
	});

	test('lz4 repeats what it is just writing', async () => {
		const zeros = cpioOf({ zeros: Buffer.alloc(300) });
		const at = zeros.indexOf(Buffer.alloc(300));
		// One zero as a literal, then 299 from one byte before: 4 are always meant, 15 say that a length follows.
		const sequences = Buffer.concat([
			Buffer.from([0xff, at + 1 - 15]),
			zeros.subarray(0, at + 1),
			Buffer.from([1, 0, 255, 299 - 4 - 15 - 255]),
			Buffer.from([0xf0, zeros.length - at - 300 - 15]),
			zeros.subarray(at + 300),
		]);
		const head = Buffer.alloc(8);
		head.writeUInt32LE(0x184c2102, 0);
		head.writeUInt32LE(sequences.length, 4);
		const content = Buffer.concat([head, sequences, lz4Of(main).subarray(4)]);
		assert.deepEqual(await modulesIn(content), both);
	});

	test('tells built-in modules and those that are forbidden', async () => {
		const files: Files = {
			...initramfsFiles(['hv_vmbus', 'hv_storvsc']),
			[`lib/modules/${kernelVersion}/modules.builtin`]: 'kernel/drivers/block/virtio_blk.ko\n',
			'etc/modprobe.d/cloud.conf':
				'# blacklist hv_vmbus\nblacklist hv-storvsc\ninstall virtio_blk /bin/true\nblacklist other\n',
		};
		const { versions, forbidden } = await readInitramfs(fileOf(gzipSync(cpioOf(files))), wanted);
		assert.deepEqual([...(versions.get(kernelVersion)?.builtIn ?? [])], ['virtio_blk']);
		assert.deepEqual([...forbidden], ['hv_storvsc', 'virtio_blk']);
	});

	for (const [what, content, message] of [
		['xz', Buffer.from('fd377a585a00000000', 'hex'), 'it is packed by xz'],
		['something unknown', Buffer.from('no archive'), 'it is packed in an unknown way'],
		['nothing', Buffer.alloc(0), 'it is empty'],
		['a piece of itself', gzipSync(main).subarray(0, 100), /^what gzip has packed is damaged: unexpected end of file$/],
		['a cut archive', main.subarray(0, 200), 'it ends too early'],
	] as const)
		test(`refuses what is packed by ${what}`, async () => {
			await assert.rejects(readInitramfs(fileOf(content), wanted), { code: 'source_invalid', message });
		});

	test('refuses one that is small packed and huge unpacked, and takes no memory for it', async () => {
		const huge = cpioOf({ bomb: Buffer.alloc(0) });
		huge.write('ffffffff', 54); // its size
		const packed = Readable.from([huge.subarray(0, 112), ...Array.from({ length: 18 }, () => Buffer.alloc(2 ** 26))]);
		const content = await buffer(packed.pipe(createZstdCompress()));
		assert.ok(content.length < 2 ** 20);
		const before = process.memoryUsage().rss;
		await assert.rejects(readInitramfs(fileOf(content, 65_536), wanted), {
			code: 'source_invalid',
			message: 'it has more than 1.00 GiB when unpacked',
		});
		assert.ok(process.memoryUsage().rss - before < 256 * 2 ** 20);
	});

	test('with any byte changed it comes back, or refuses by code', async () => {
		for (const whole of [main, gzipSync(main), zstdCompressSync(main), lz4Of(main)])
			for (let at = 0; at < whole.length; at += 2) {
				const torn = Buffer.from(whole);
				torn.writeUInt8(torn.readUInt8(at) ^ (1 << (at % 8)), at);
				await readInitramfs(fileOf(torn), wanted).catch((error: unknown) => {
					assert.equal(asRouseError(error).code, 'source_invalid', String(error));
				});
			}
	});
});
