/** VHDX files on disk, and programs that are not ours and say what is in them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkoutDirectory } from '../../system/checkout.ts';
import type { FileLayout } from '../../vhdx/file-layout.ts';
import { testPython } from './test-python.ts';

const execute = promisify(execFile);
const mostOutputBytes = 64 * 2 ** 20;

/** `contentAt`: what the disk holds there; absent where it is zeros. Zeros are left out of the file, whatever its length. */
export async function written(
	path: string,
	layout: FileLayout,
	contentAt: (atBytes: number, lengthBytes: number) => Uint8Array | undefined,
): Promise<string> {
	const file = await open(path, 'wx');
	try {
		let at = 0;
		for (const piece of layout.pieces()) {
			const bytes =
				piece.kind === 'bytes'
					? piece.bytes
					: piece.kind === 'disk'
						? contentAt(piece.atBytes, piece.lengthBytes)
						: undefined;
			if (bytes?.some(byte => byte !== 0)) await file.write(bytes, 0, bytes.length, at);
			at += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
		}
		await file.truncate(layout.fileSizeBytes);
	} finally {
		await file.close();
	}
	return path;
}

/** Whether 7-Zip takes the file, parents included, and reads it to its end. */
export async function sevenZipTakes(path: string): Promise<boolean> {
	return execute('7zz', ['t', '-tVHDX', path]).then(
		() => true,
		() => false,
	);
}

export async function sevenZipContent(path: string): Promise<Buffer> {
	return (await execute('7zz', ['x', '-tVHDX', '-so', path], { encoding: 'buffer', maxBuffer: mostOutputBytes }))
		.stdout;
}

/** What 7-Zip says of a file without reading its disk. */
export async function sevenZipList(path: string): Promise<string> {
	return (await execute('7zz', ['l', '-slt', '-tVHDX', path])).stdout;
}

export async function qemuCheck(path: string): Promise<void> {
	const { stdout } = await execute('qemu-img', ['check', '-f', 'vhdx', path]);
	assert.match(stdout, /No errors were found/);
}

export async function qemuCompare(path: string, raw: string): Promise<void> {
	const { stdout } = await execute('qemu-img', ['compare', '-f', 'vhdx', '-F', 'raw', path, raw]);
	assert.match(stdout, /Images are identical/);
}

export async function vhdiSays(path: string): Promise<{ type: string; sizeBytes: number; parent: string | undefined }> {
	const { stdout } = await execute('vhdiinfo', [path]);
	const value = (name: string) => new RegExp(`^\\s*${name}\\s*: (.*)$`, 'm').exec(stdout)?.[1];
	const size = value('Media size') ?? '';
	return {
		type: value('Disk type') ?? '',
		sizeBytes: Number(/\((\d+) bytes\)/.exec(size)?.[1] ?? /^(\d+) bytes/.exec(size)?.[1]),
		parent: value('Parent identifier'),
	};
}

export async function dissectContent(path: string, atBytes: number, lengthBytes: number): Promise<Buffer> {
	const script = join(checkoutDirectory, 'test', 'equipment', 'dissect', 'read-vhdx.py');
	const args = [script, path, String(atBytes), String(lengthBytes)];
	return (await execute(await testPython(), args, { encoding: 'buffer', maxBuffer: mostOutputBytes })).stdout;
}
