import { formatBytes } from '../model/format-bytes.ts';
import type { DirectoryEntry, FileNode, FileSystem } from './file-node.ts';
import { unreadable } from './volume.ts';

const mostLinks = 16;
/** PATH_MAX of Linux. */
const mostPathBytes = 4096;
const mostSteps = 256;

/**
 * What lies at an absolute path within a file system, links followed as in a guest that has it for its root. Undefined when
 * there is nothing; throws `source_invalid` when that cannot be told.
 */
export async function find(fileSystem: FileSystem, path: string): Promise<FileNode | undefined> {
	const root = await fileSystem.root();
	let way = [root];
	const ahead = namesOf(path);
	let links = 0;
	for (let step = 0; ahead.length > 0; step++) {
		if (step > mostSteps) throw unreadable(`${path} is too long a way`);
		const name = ahead.shift();
		const here = way.at(-1) ?? root;
		if (name === undefined || here.kind !== 'directory') return undefined;
		if (name === '..') {
			if (way.length > 1) way.pop();
			continue;
		}
		const next = await (await entryOf(here, name, fileSystem.ignoresCase ?? false))?.open();
		if (next === undefined) return undefined;
		if (next.kind !== 'link') {
			way.push(next);
			continue;
		}
		if (++links > mostLinks) throw unreadable(`${path} leads through more than ${mostLinks} links`);
		const target = (await bytesOf(next, mostPathBytes)).toString('utf8');
		if (target.startsWith('/')) way = [root];
		ahead.unshift(...namesOf(target));
	}
	return way.at(-1);
}

async function entryOf(directory: FileNode, name: string, ignoresCase: boolean): Promise<DirectoryEntry | undefined> {
	const fold = (text: string) => (ignoresCase ? text.toLowerCase() : text);
	for await (const entry of directory.entries()) if (fold(entry.name) === fold(name)) return entry;
	return undefined;
}

function namesOf(path: string): string[] {
	return path.split('/').filter(name => name !== '' && name !== '.');
}

/** Names in a directory that a test accepts, up to so many; undefined when there is no such directory. */
export async function namesAt(
	fileSystem: FileSystem,
	path: string,
	accept: (name: string) => boolean,
	most: number,
): Promise<string[] | undefined> {
	const directory = await find(fileSystem, path);
	if (directory?.kind !== 'directory') return undefined;
	const names: string[] = [];
	for await (const { name } of directory.entries()) {
		if (!accept(name)) continue;
		if (names.length >= most) throw unreadable(`${path} has more than ${most} names of one kind`);
		names.push(name);
	}
	return names;
}

/** A file's text; undefined when there is none. Throws `source_invalid` for one that is larger. */
export async function textAt(fileSystem: FileSystem, path: string, mostBytes: number): Promise<string | undefined> {
	const file = await find(fileSystem, path);
	return file?.kind === 'file' ? (await bytesOf(file, mostBytes)).toString('utf8') : undefined;
}

export async function bytesOf(file: FileNode, mostBytes: number): Promise<Buffer> {
	if (file.sizeBytes > mostBytes)
		throw unreadable(`a file has ${formatBytes(file.sizeBytes)}, more than such a one needs`);
	const pieces: Buffer[] = [];
	for await (const piece of file.content(0)) pieces.push(piece);
	return Buffer.concat(pieces);
}
