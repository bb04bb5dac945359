/**
 * What a disk of a machine holds, the same each time on one system: files of the system itself, text as logs have it, and what does not
 * shrink, as pictures and archives. Seven, one and a half and one and a half parts of ten.
 */
import { createCipheriv } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../system/durable-file.ts';
import { randomNumbers } from './random-numbers.ts';

const MiB = 2 ** 20;
/** Programs, libraries, documents, headers: each gives as much as the others, as long as it has some. */
const roots = ['/usr/lib', '/usr/share', '/usr/bin', '/usr/include'];
/** One larger than this would make the mix. */
const largestFileBytes = 32 * MiB;

const shares: readonly { share: number; files: () => AsyncGenerator<Buffer> }[] = [
	...roots.map(root => ({ share: 0.7 / roots.length, files: () => systemFiles(root) })),
	{ share: 0.15, files: logs },
	{ share: 0.15, files: noises },
];

/** Files without end. */
export async function* files(): AsyncGenerator<Buffer> {
	const kinds = shares.map(({ share, files: begin }) => ({ share, given: 0, iterator: begin() }));
	for (;;) {
		// Whose part is behind the most.
		const next = kinds.toSorted((a, b) => a.given / a.share - b.given / b.share)[0];
		if (next === undefined) return;
		const { value, done } = await next.iterator.next();
		if (done === true || value === undefined) kinds.splice(kinds.indexOf(next), 1);
		else {
			next.given += value.length;
			yield value;
		}
	}
}

async function* systemFiles(directory: string): AsyncGenerator<Buffer> {
	const entries = await readdir(directory, { withFileTypes: true }).catch(unlessClosed);
	for (const entry of entries?.toSorted((a, b) => (a.name < b.name ? -1 : 1)) ?? []) {
		const path = join(directory, entry.name);
		if (entry.isDirectory()) yield* systemFiles(path);
		else if (entry.isFile() && (await stat(path)).size <= largestFileBytes) {
			const content = await readFile(path).catch(unlessClosed);
			if (content !== undefined && content.length > 0) yield content;
		}
	}
}

/** What this user may not read, and what was removed since it was listed, is left out. */
function unlessClosed(error: unknown): undefined {
	if (isErrno(error, 'EACCES') || isErrno(error, 'ENOENT')) return;
	throw error;
}

async function* logs(): AsyncGenerator<Buffer> {
	for (let seed = 1; ; seed += 1) yield log(seed, MiB);
}

async function* noises(): AsyncGenerator<Buffer> {
	for (let seed = 1; ; seed += 1) yield noise(seed, 2 * MiB);
}

const words =
	'accepted closed connection disk failed from host kernel machine opened request retried session user'.split(' ');

/** Lines of a log, cut to this length. */
export function log(seed: number, lengthBytes: number): Buffer {
	const random = randomNumbers(seed);
	const pick = () => words[Math.floor(random() * words.length)] ?? '';
	const lines: string[] = [];
	for (let length = 0; length < lengthBytes; length += lines.at(-1)?.length ?? 0) {
		const time = new Date(1.79e12 + seed * 1e7 + lines.length * 317).toISOString();
		const id = Math.floor(random() * 2 ** 32).toString(16);
		lines.push(`${time} ${pick()}[${id}]: ${pick()} ${pick()} ${pick()} ${Math.floor(random() * 65536)}\n`);
	}
	return Buffer.from(lines.join('')).subarray(0, lengthBytes);
}

/** Bytes without any order. */
export function noise(seed: number, lengthBytes: number): Buffer {
	const key = Buffer.alloc(16);
	key.writeUInt32LE(seed);
	return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}
