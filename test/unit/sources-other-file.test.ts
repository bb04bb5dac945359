import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { otherFileBytes, otherFileOf } from '../../sources/other-file.ts';

const disk = Buffer.alloc(5000, 'a disk ');
const latin1 = (text: string) => Buffer.from(text, 'latin1');

function tar(name: string, ...options: string[]): Buffer {
	const directory = mkdtempSync(join(tmpdir(), 'rouse-test-'));
	try {
		writeFileSync(join(directory, name), disk);
		return execFileSync('tar', ['-c', ...options, '-f', '-', name], { cwd: directory });
	} finally {
		rmSync(directory, { recursive: true });
	}
}

const compressedBy = (program: string) => execFileSync(program, ['-c'], { input: disk });

const others: [what: string, content: () => Buffer, told: RegExp, hint: RegExp][] = [
	['gzip', () => gzipSync(disk), /^compressed by gzip$/, /^gzip -dc d\.img > unpacked-d\.img,/],
	['xz', () => compressedBy('xz'), /^compressed by xz$/, /^xz -dc d\.img > /],
	['bzip2', () => compressedBy('bzip2'), /^compressed by bzip2$/, /^bzip2 -dc d\.img > /],
	['zstd', () => zstdCompressSync(disk), /^compressed by zstd$/, /^zstd -dc d\.img > /],
	[
		'lzma',
		() => execFileSync('xz', ['--format=lzma', '-c'], { input: disk }),
		/^compressed by lzma$/,
		/^xz --format=lzma/,
	],
	['7z', () => latin1('7z\xbc\xaf\x27\x1c\0\x04'), /^a 7z archive$/, /^7z x d\.img/],
	['zip', () => latin1('PK\x03\x04\x14\0'), /^a zip archive$/, /^unzip d\.img/],
	['tar', () => tar('disk.raw'), /^a tar archive$/, /^tar xf d\.img/],
	['old tar', () => tar('disk.raw', '--format=v7'), /^a tar archive$/, /^tar xf d\.img/],
	['OVA', () => tar('web.ovf'), /^an appliance \(OVA\)/, /mv d\.img NAME\.ova$/],
	[
		'LFS pointer',
		() => latin1('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
		/Git LFS/,
		/git lfs pull/,
	],
	['HTML', () => latin1('\n<!DOCTYPE html><title>404</title>'), /HTML/, /download the disk again/],
	['short HTML', () => latin1('<html>404</html>'), /HTML/, /download/],
	[
		'zstd behind a frame to skip',
		() => Buffer.concat([Buffer.from('502a4d180400000000000000', 'hex'), disk]),
		/zstd$/,
		/^zstd -dc/,
	],
	['cpio', () => latin1('07070100000001'), /cpio/, /^cpio -id < d\.img/],
	['a package of Debian', () => latin1('!<arch>\ndebian-binary   '), /Debian/, /^ar x d\.img/],
	['RPM', () => latin1('\xed\xab\xee\xdb\x03\0'), /RPM/, /^rpm2cpio d\.img/],
	['SQLite', () => latin1('SQLite format 3\0'), /SQLite/, /holds the disk/],
	['VMX', () => latin1('.encoding = "UTF-8"\nscsi0:0.fileName = "web.vmdk"\n'), /VMX/, /disks that it names/],
	['libvirt', () => latin1('<!--\nGENERATED\n-->\n<domain type="kvm">'), /libvirt/, /disks that it names/],
	['git-annex on Windows', () => latin1('..\\.git\\annex\\objects\\x'), /git-annex/, /annex get/],
	['S3', () => latin1('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code>'), /server/, /download/],
	['JSON', () => latin1('{"error":"not found"}'), /^a text/, /look into it/],
	['checksums', () => latin1('e3b0c442  web.img\n'), /^a text/, /look into it/],
	['a VMDK of another version', () => latin1('# Disk DescriptorFile\nversion=9\n'), /VMDK/, /all parts/],
	['OVF', () => latin1('\xef\xbb\xbf<?xml version="1.0"?><Envelope/>'), /OVF/, /ends with \.ovf/],
];

describe('`otherFileOf`', () => {
	for (const [what, content, told, hint] of others)
		it(`tells ${what}, and what makes a disk of it`, () => {
			const found = otherFileOf(content().subarray(0, otherFileBytes), 'd.img', true);
			assert.match(found?.what ?? '', told);
			assert.match(found?.hint ?? '', hint);
		});

	it('quotes a name that a shell would take apart', () => {
		assert.match(
			otherFileOf(gzipSync(disk), "a 'b'.gz")?.hint ?? '',
			/^gzip -dc 'a '\\''b'\\''\.gz' > 'a '\\''b'\\''',/,
		);
	});

	it('says nothing of disks, empty ones and what it does not know', () => {
		const mbr = Buffer.alloc(512, 0x90);
		mbr.writeUInt16LE(0xaa55, 510);
		for (const head of [
			Buffer.alloc(512),
			mbr,
			Buffer.alloc(0),
			disk,
			brotliCompressSync(disk),
			readFileSync('/proc/self/exe').subarray(0, 512),
		])
			assert.equal(otherFileOf(head, 'd.img'), undefined);
	});

	it('takes for a text only a whole file without control characters', () => {
		const text = latin1('a line\nanother\n');
		assert.equal(otherFileOf(text, 'd.img', false), undefined);
		assert.equal(otherFileOf(Buffer.concat([text, Buffer.alloc(1)]), 'd.img', true), undefined);
		assert.equal(otherFileOf(latin1('five b'), 'd.img', true), undefined);
	});

	it('answers whatever it is given', () => {
		fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), bytes => void otherFileOf(Buffer.from(bytes), 'x', true)));
	});
});
