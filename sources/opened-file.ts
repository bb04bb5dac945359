import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { isErrno } from '../system/durable-file.ts';
import { type FileState, fileState } from './file-state.ts';
import { type FoundFile, wayToFile } from './way-to-file.ts';

/** A file or block device that was opened once, for reading: whatever its name leads to later, this is what is looked at. */
export interface OpenedFile {
	/** Absolute; for people, and what names inside it are relative to. */
	readonly path: string;
	readonly handle: FileHandle;
	/** As it was when it was opened. */
	readonly found: Stats;
	/** Of what is looked at: the file, or the part of it. The size of a block device is 0. */
	readonly sizeBytes: number;
	readonly state: FileState;
	/** Set when what is looked at is a part of a file: a member of an archive. `path` is the archive's with the member's name. */
	readonly part?: FilePart | undefined;
}

export interface FilePart {
	/** The file that it is a part of. */
	ofPath: string;
	atBytes: number;
}

/**
 * Opens what `path` (absolute) names. `follow: false` refuses a symbolic link at its end. Throws `source_invalid` when it is
 * neither a regular file nor a block device, when it is empty, or when another user's link leads to what is not theirs; `lock_held`
 * when somebody has it open alone.
 */
export async function openFile(path: string, { follow }: { follow: boolean }): Promise<OpenedFile> {
	let way: FoundFile | undefined;
	try {
		way = await wayToFile(path, { follow });
		// Before the opening, which of some devices (a watchdog, a tape) is an act, and of a FIFO would be one for its writer.
		refuseOtherKinds(path, way.found);
		refuseForeignLinks(way);
		const handle = await open(
			`/proc/self/fd/${way.place.fd}`,
			constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
		);
		try {
			const state = await fileState(handle);
			const found = await handle.stat();
			if (found.isFile() && found.size === 0) throw new RouseError('source_invalid', `${path} is empty`);
			return { path, handle, found, sizeBytes: found.isFile() ? found.size : 0, state };
		} catch (error) {
			await handle.close();
			throw error;
		}
	} catch (error) {
		throw asSourceError(path, error);
	} finally {
		await way?.place.close();
	}
}

/**
 * Throws `source_invalid` when the file was written, or its name leads to another one, since it was opened. Of a block device
 * nothing tells whether it was written.
 */
export async function checkUnchanged({ path: ofPath, part, handle, found, state }: OpenedFile): Promise<void> {
	if (!found.isFile()) return;
	const path = part?.ofPath ?? ofPath;
	const { sizeBytes, writtenNs } = await fileState(handle);
	if (sizeBytes !== state.sizeBytes)
		throw changed(path, `it had ${exactBytes(Number(state.sizeBytes))}, and has ${exactBytes(Number(sizeBytes))}`);
	if (writtenNs !== state.writtenNs) throw changed(path, 'it was written');
	const named = await stat(path, { bigint: true }).catch((error: unknown) => {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw asSourceError(path, error);
	});
	if (named?.ino !== state.inode || named.dev !== state.device)
		throw changed(path, 'its name leads to another file, or none');
}

function changed(path: string, how: string): RouseError {
	return new RouseError('source_invalid', `${path} changed while it was read: ${how}; nothing was stored of it`, {
		hint: 'import it when nobody changes it: after the copy or upload has ended, with the machine shut down',
	});
}

/** What there is of these bytes: fewer where the file ends, none at a place that no file has. */
export async function bytesAt(file: OpenedFile, at: number, lengthBytes: number): Promise<Buffer> {
	if (at < 0 || !Number.isSafeInteger(at + lengthBytes)) return Buffer.alloc(0);
	const bytes = Buffer.alloc(lengthBytes);
	return bytes.subarray(0, await fillFrom(file, at, bytes));
}

/** Fills `into` as far as the file goes, and gives how far that is. */
export async function fillFrom(
	{ handle, sizeBytes, part }: OpenedFile,
	at: number,
	into: Buffer,
	signal?: AbortSignal,
): Promise<number> {
	const wanted = part === undefined ? into.length : Math.max(0, Math.min(into.length, sizeBytes - at));
	let filled = 0;
	while (filled < wanted) {
		signal?.throwIfAborted();
		const { bytesRead } = await handle.read(into, filled, wanted - filled, (part?.atBytes ?? 0) + at + filled);
		if (bytesRead === 0) break;
		filled += bytesRead;
	}
	return filled;
}

/** A part of it, which lies in it, as a file of its own with the same handle. */
export function partOf(
	file: OpenedFile,
	name: string,
	{ atBytes, sizeBytes }: { atBytes: number; sizeBytes: number },
): OpenedFile {
	return { ...file, path: `${file.path}/${name}`, sizeBytes, part: { ofPath: file.path, atBytes } };
}

function refuseOtherKinds(path: string, found: Stats): void {
	if (found.isSymbolicLink())
		throw new RouseError('source_invalid', `${path} is a symbolic link, and a part of an image must not be one`);
	if (!found.isFile() && !found.isBlockDevice())
		throw new RouseError('source_invalid', `${path} is neither a file nor a block device`);
}

/**
 * Who owns a directory can put a link to anything into it. So a link counts only when root or we ourselves made it, or
 * when what it leads to belongs to whom made it.
 */
function refuseForeignLinks({ found, links }: FoundFile): void {
	const trusted = [0, process.geteuid?.(), found.uid];
	const foreign = links.find(link => !trusted.includes(link.uid));
	if (foreign === undefined) return;
	throw new RouseError(
		'source_invalid',
		`${foreign.path} is a symbolic link of user ${foreign.uid}, and leads to a file of user ${found.uid}`,
		{ hint: 'name the file itself' },
	);
}

function asSourceError(path: string, error: unknown): unknown {
	const isOneOf = (...codes: string[]) => codes.some(code => isErrno(error, code));
	if (isOneOf('ENOENT', 'ENOTDIR')) return new RouseError('source_invalid', `there is no ${path}`, { cause: error });
	if (isOneOf('EACCES', 'EPERM'))
		return new RouseError('source_invalid', `${path} may not be read by user ${process.geteuid?.()}`, { cause: error });
	// Of a share on which Hyper-V has it open for itself alone (cifs: EBUSY, ETXTBSY before), and of a lease.
	if (isOneOf('EBUSY', 'ETXTBSY', 'EAGAIN'))
		return new RouseError('lock_held', `${path} is open elsewhere, for somebody alone: a machine runs on it`, {
			hint: 'shut the machine down first, or export it and import that',
			cause: error,
		});
	if (isOneOf('ENAMETOOLONG'))
		return new RouseError('source_invalid', `no file has so long a name: ${path}`, { cause: error });
	return error;
}

/**
 * The absolute path that a name inside the image at `from` means. Throws `source_invalid` unless it is a plain path: QEMU
 * takes `json:{…}`, `nbd://…` and whatever has a colon before its first slash for orders to open something else.
 */
export function referredPath(from: string, name: string): string {
	if (name === '' || /^[^/]*:/.test(name) || /\p{Cc}/u.test(name))
		throw new RouseError('source_invalid', `${from} refers to ${JSON.stringify(name)}, which is no plain path`, {
			hint: 'only files are read; convert it where it was made: qemu-img convert',
		});
	return resolve(dirname(from), name);
}
