import { randomUUID } from 'node:crypto';
import { asRouseError } from '../../../model/errors.ts';
import { describeVhdx, openVhdx, type Vhdx } from '../../../vhdx/open.ts';
import { VhdxDisk } from '../../../vhdx/disk.ts';
import type { ParentLocator } from '../../../vhdx/parent-locator.ts';
import { type Account, isThere, type OpenSource, openToRead, openToWrite, volumeOf } from './host-files.ts';
import { replayLog } from './log-replay.ts';
import type { FileParts } from './file-parts.ts';
import { breaks } from './rules.ts';
import { VhdxWriter } from './vhdx-writer.ts';
import { directoryOf, placeOf } from './windows-paths.ts';

export interface OpeningDisk {
	cmdlet: string;
	account: Account;
	/** For messages about files in use. */
	who: string;
}

export interface ChainFile {
	readonly path: string;
	readonly vhdx: Omit<Vhdx, 'blockTable'>;
}

/** A virtual disk as vhdmp opens it: its leaf, and all that it stands on. Each file is in use until it is closed. */
export class DiskChain {
	/** The leaf first. */
	readonly files: readonly ChainFile[];
	readonly #ends: readonly (() => Promise<void>)[];
	readonly #parent: VhdxDisk | undefined;
	readonly #writer: VhdxWriter | undefined;
	#disk: VhdxDisk;
	#isFresh = true;

	constructor(
		opened: {
			files: readonly ChainFile[];
			disk: VhdxDisk;
			parent: VhdxDisk | undefined;
			writer: VhdxWriter | undefined;
		},
		ends: readonly (() => Promise<void>)[],
	) {
		this.files = opened.files;
		this.#disk = opened.disk;
		this.#parent = opened.parent;
		this.#writer = opened.writer;
		this.#ends = ends;
	}

	get sizeBytes(): number {
		return this.#disk.sizeBytes;
	}

	async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
		return await this.#disk.read(atBytes, lengthBytes);
	}

	/** Durable when it returns. One at a time. */
	async write(atBytes: number, bytes: Uint8Array): Promise<void> {
		const writer = this.#writer;
		if (writer === undefined) throw new RangeError('a disk that is open for reading');
		if (this.#isFresh) await writer.setDataWriteGuid(randomUUID());
		this.#isFresh = false;
		await writer.write(atBytes, bytes);
		// The one before keeps what it has read of the tables.
		this.#disk = new VhdxDisk(writer.vhdx, this.#parent);
	}

	/** Pieces of the disk that the leaf says something of. */
	async *ownPieces(): AsyncGenerator<{ atBytes: number; lengthBytes: number }> {
		for await (const { atBytes, lengthBytes, in: place } of this.#disk.locate(0, this.sizeBytes))
			if (place.kind !== 'parent') yield { atBytes, lengthBytes };
	}

	async close(): Promise<void> {
		for (const end of this.#ends) await end();
	}
}

/** Throws as Windows does: what is missing, closed to the account, in use, or does not belong together. */
export async function openChain(
	host: FileParts,
	path: string,
	options: OpeningDisk & { write: boolean },
): Promise<DiskChain> {
	const ends: (() => Promise<void>)[] = [];
	try {
		const layers: { path: string; vhdx: Vhdx; writer: VhdxWriter | undefined }[] = [];
		for (let next: string | undefined = path; next !== undefined; ) {
			const layer = await openLayer(host, next, { ...options, isParent: layers.length > 0 }, ends);
			const child = layers.at(-1);
			if (child) checkBelongs(child, layer, options.cmdlet);
			layers.push(layer);
			next = layer.vhdx.parent && (await parentPath(host, layer.path, layer.vhdx.parent, options.cmdlet));
		}
		let parent: VhdxDisk | undefined;
		for (const { vhdx } of layers.slice(1).toReversed()) parent = new VhdxDisk(vhdx, parent);
		const [leaf] = layers;
		if (leaf === undefined) throw new RangeError('a chain without files');
		const disk = new VhdxDisk(leaf.vhdx, parent);
		return new DiskChain({ files: layers, disk, parent, writer: leaf.writer }, ends);
	} catch (error) {
		for (const end of ends) await end();
		throw error;
	}
}

/** What a file says of itself, without a look at its parent. Throws as Windows does. */
export async function describeDisk(host: FileParts, path: string, options: OpeningDisk): Promise<ChainFile> {
	const source = await openFile(host, path, options);
	if (source === undefined) throw breaks('fileNotFound', options.cmdlet, path);
	try {
		return { path, vhdx: await asVirtualDisk(path, options.cmdlet, () => describeVhdx(source)) };
	} finally {
		await source.close();
	}
}

/** Throws `parentNotFound` and `idMismatch`, as far as headers tell. */
export async function mustFitParent(
	host: FileParts,
	child: string,
	locator: ParentLocator,
	cmdlet: string,
): Promise<void> {
	const path = await parentPath(host, child, locator, cmdlet);
	const { vhdx } = await describeDisk(host, path, { cmdlet, account: undefined, who: cmdlet });
	const { dataWriteGuid } = vhdx.ids;
	if (dataWriteGuid !== locator.linkage && dataWriteGuid !== locator.otherLinkage)
		throw breaks('idMismatch', cmdlet, `${child} was made on ${locator.linkage}, and ${path} is ${dataWriteGuid}.`);
}

/** The parent that a file names, the first of its paths that leads to a file. */
async function parentPath(host: FileParts, child: string, locator: ParentLocator, cmdlet: string): Promise<string> {
	const { relativePath, absolutePath } = locator;
	const paths = [relativePath && resolved(directoryOf(child), relativePath), absolutePath];
	for (const path of paths) if (path && (await isThere(host, path))) return path;
	throw breaks('parentNotFound', cmdlet, `${child} stands on ${absolutePath ?? relativePath ?? 'nothing'}.`);
}

async function openLayer(
	host: FileParts,
	path: string,
	options: OpeningDisk & { write: boolean; isParent: boolean },
	ends: (() => Promise<void>)[],
): Promise<{ path: string; vhdx: Vhdx; writer: VhdxWriter | undefined }> {
	const { cmdlet, who, isParent } = options;
	const write = options.write && !isParent;
	const release = host.openFiles.take(path, write ? 'write' : 'read', who, cmdlet);
	ends.push(async () => release());
	if (write) {
		await replayLog(placeOf(host.root, path));
		const file = await openToWrite(host, path, options);
		ends.push(() => file.close());
		const writer = await asVirtualDisk(path, cmdlet, () => VhdxWriter.open(file));
		return { path, vhdx: writer.vhdx, writer };
	}
	const source = await openFile(host, path, options);
	if (source === undefined) throw breaks(isParent ? 'parentNotFound' : 'fileNotFound', cmdlet, path);
	ends.push(() => source.close());
	return { path, vhdx: await asVirtualDisk(path, cmdlet, () => openVhdx(source)), writer: undefined };
}

async function openFile(
	host: FileParts,
	path: string,
	options: OpeningDisk & { isParent?: boolean },
): Promise<OpenSource | undefined> {
	const isLocal = volumeOf(host, path) === undefined;
	// Nobody may replay it under a writer's hands.
	if (isLocal && !host.openFiles.isWritten(path)) await replayLog(placeOf(host.root, path));
	return await openToRead(host, path, options);
}

function checkBelongs(child: { path: string; vhdx: Vhdx }, parent: { path: string; vhdx: Vhdx }, cmdlet: string): void {
	const { linkage, otherLinkage } = child.vhdx.parent ?? {};
	const { dataWriteGuid } = parent.vhdx.ids;
	if (dataWriteGuid !== linkage && dataWriteGuid !== otherLinkage)
		throw breaks('idMismatch', cmdlet, `${child.path} was made on ${linkage}, and ${parent.path} is ${dataWriteGuid}.`);
	if (child.vhdx.geometry.sizeBytes !== parent.vhdx.geometry.sizeBytes)
		throw breaks('sizeMismatch', cmdlet, `${child.path} and ${parent.path}.`);
}

async function asVirtualDisk<T>(path: string, cmdlet: string, open: () => Promise<T>): Promise<T> {
	try {
		return await open();
	} catch (error) {
		if (asRouseError(error).code !== 'source_invalid') throw error;
		throw breaks('notVirtualDisk', cmdlet, `${path}: ${asRouseError(error).message}`);
	}
}

/** `..\base.vhdx` from a directory on. */
function resolved(directory: string, relative: string): string {
	const parts = directory.split('\\');
	for (const part of relative.split('\\')) {
		if (part === '..') parts.pop();
		else if (part !== '.' && part !== '') parts.push(part);
	}
	return parts.join('\\');
}
