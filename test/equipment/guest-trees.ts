/** What systems have on their disks, as far as a look into them goes: folders for `mke2fs -d`, and disks in memory. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ReadableDisk } from '../../inspection/bounded-disk.ts';

export type Files = Readonly<Record<string, string | Buffer>>;

/** https://docs.kernel.org/driver-api/early-userspace/buffer-format.html, written from its table. */
export function cpioOf(files: Files): Buffer {
	const pieces: Buffer[] = [];
	const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
	const add = (name: string, content: Buffer) => {
		const fields = [1, 0o100644, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
		const header = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`;
		pieces.push(padded(Buffer.from(`${header}${name}\0`, 'latin1')), padded(content));
	};
	for (const [name, content] of Object.entries(files)) add(name, Buffer.from(content));
	add('TRAILER!!!', Buffer.alloc(0));
	return Buffer.concat(pieces);
}

export const kernelVersion = '6.1.0-18-amd64';

/** Files of an initramfs with these modules. */
export function initramfsFiles(modules: readonly string[], version = kernelVersion): Files {
	const files = modules.map((name): [string, string] => [
		`usr/lib/modules/${version}/kernel/drivers/${name}.ko`,
		'module',
	]);
	return Object.fromEntries([...files, ['init', '#!/bin/sh\n']]);
}

/** What an installed kernel has on its disk beside the initramfs. */
export function systemFiles(
	{ builtIn = [], installed = [] }: { builtIn?: readonly string[]; installed?: readonly string[] },
	version = kernelVersion,
): Files {
	return {
		[`boot/vmlinuz-${version}`]: 'kernel',
		[`lib/modules/${version}/modules.builtin`]: builtIn.map(name => `kernel/drivers/${name}.ko\n`).join(''),
		[`lib/modules/${version}/modules.dep`]: installed
			.map(name => `kernel/drivers/${name}.ko.xz: kernel/a.ko\n`)
			.join(''),
	};
}

export async function writeTree(directory: string, files: Files): Promise<void> {
	for (const [name, content] of Object.entries(files)) {
		const path = join(directory, name);
		await mkdir(dirname(path), { recursive: true });
		await writeFile(path, content);
	}
}

/** A disk in memory, and how many bytes were read of it. */
export function memoryDisk(content: Buffer): ReadableDisk & { readBytes: () => number } {
	let bytes = 0;
	return {
		sizeBytes: content.length,
		read: async (offsetBytes, into) => {
			bytes += into.length;
			if (content.copy(into, 0, offsetBytes) !== into.length) throw new Error(`read behind the end: ${offsetBytes}`);
		},
		readBytes: () => bytes,
	};
}

/** Where anything lies that is not zero: with files as small as these that is the metadata, and they. */
export function placesWithBytes(image: Buffer): number[] {
	const places: number[] = [];
	for (let at = 0; at < image.length; at++) if (image[at] !== 0) places.push(at);
	return places;
}
