/** Files of the simulated host, on its drives and on volumes with an access path. */
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { isErrno } from '../../../system/durable-file.ts';
import { exists } from '../../../system/if-there.ts';
import type { ByteSource } from '../../../vhdx/byte-source.ts';
import { DiskFile } from './disk-file.ts';
import type { FileParts } from './file-parts.ts';
import { breaks, type RuleName, type WindowsError } from './rules.ts';
import type { AccessPath } from './state.ts';
import { directoryOf, isWithin, keyOfPath, nameOf, placeOf, samePath } from './windows-paths.ts';

export type OpenSource = ByteSource & { close(): Promise<void> };

/** The system's own account: an administrator may open every file. */
export const administrator = undefined;
/** The account of a machine, or {@link administrator}. */
export type Account = string | undefined;

export function accountOf(vmId: string): string {
	return `NT VIRTUAL MACHINE\\${vmId.toUpperCase()}`;
}

/** Test-Path: whatever the volume says. */
export async function isThere(host: FileParts, path: string): Promise<boolean> {
	const volume = volumeOf(host, path);
	if (volume === undefined) return await exists(placeOf(host.root, path));
	const source = await host.sessions.get(volume.iqn)?.file(volume.partitionGuid, nameOf(path));
	await source?.close();
	return source !== undefined;
}

/** Throws as the file system does; undefined when the file is not there. */
export async function openToRead(
	host: FileParts,
	path: string,
	{ cmdlet, account, isParent = false }: { cmdlet: string; account: Account; isParent?: boolean },
): Promise<OpenSource | undefined> {
	const volume = volumeOf(host, path);
	if (volume !== undefined) return await host.sessions.get(volume.iqn)?.file(volume.partitionGuid, nameOf(path));
	if (!(await exists(placeOf(host.root, path)))) return undefined;
	if (!isAllowed(host, path, account)) throw denied(isParent ? 'parentDenied' : 'accessDenied', cmdlet, path, account);
	return await DiskFile.open(placeOf(host.root, path), path, 'r');
}

export async function openToWrite(
	host: FileParts,
	path: string,
	{ cmdlet, account }: { cmdlet: string; account: Account },
): Promise<DiskFile> {
	if (volumeOf(host, path) !== undefined) throw breaks('writeProtected', cmdlet, `${path} is on a volume.`);
	if (!(await exists(placeOf(host.root, path)))) throw breaks('fileNotFound', cmdlet, path);
	if (!isAllowed(host, path, account)) throw denied('accessDenied', cmdlet, path, account);
	return await DiskFile.open(placeOf(host.root, path), path, 'r+');
}

/** Of a volume everybody has full control: mkntfs makes it so. */
function isAllowed({ state, faults }: FileParts, path: string, account: Account): boolean {
	if (account === administrator) return true;
	if (faults.conditions.deniedPaths.some(one => samePath(one, path) || isWithin(path, one))) return false;
	return state.access[keyOfPath(path)]?.includes(account) === true;
}

function denied(rule: RuleName, cmdlet: string, path: string, account: Account): WindowsError {
	return breaks(rule, cmdlet, `Account: '${account}'. Path: ${path}.`);
}

/** icacls PATH /grant ACCOUNT:F. Idempotent. */
export async function grantAccess({ state, store }: FileParts, path: string, account: string): Promise<void> {
	const key = keyOfPath(path);
	const accounts = state.access[key] ?? [];
	if (accounts.includes(account)) return;
	state.access[key] = [...accounts, account];
	await store.save();
}

/** New-Item -ItemType Directory -Force */
export async function makeDirectory(host: FileParts, path: string): Promise<void> {
	await mkdir(placeOf(host.root, path), { recursive: true });
}

/** Remove-Item of a file. MAY find nothing. Throws 0x80070020 while it is open. */
export async function removeFile(host: FileParts, path: string): Promise<boolean> {
	const place = placeOf(host.root, path);
	if (!(await exists(place))) return false;
	host.openFiles.take(path, 'delete', 'Remove-Item', 'Remove-Item')();
	await rm(place);
	delete host.state.access[keyOfPath(path)];
	await host.store.save();
	return true;
}

/** [IO.Directory]::GetFiles. MAY find no directory. */
export async function filesIn(host: FileParts, path: string): Promise<string[]> {
	const entries = await unlessMissing(readdir(placeOf(host.root, path), { withFileTypes: true }), []);
	return entries.filter(entry => entry.isFile()).map(({ name }) => `${path}\\${name}`);
}

/** With directories in it that are empty, and nothing that is mounted or has something in it. MAY find nothing. */
export async function removeEmptyDirectory(host: FileParts, path: string): Promise<void> {
	if (host.state.accessPaths.some(access => samePath(access.path, path))) return;
	const entries = await unlessMissing(readdir(placeOf(host.root, path), { withFileTypes: true }), []);
	for (const entry of entries) if (entry.isDirectory()) await removeEmptyDirectory(host, `${path}\\${entry.name}`);
	try {
		await rmdir(placeOf(host.root, path));
	} catch (error) {
		if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].some(code => isErrno(error, code))) throw error;
	}
}

async function unlessMissing<T>(look: Promise<T>, otherwise: T): Promise<T> {
	try {
		return await look;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return otherwise;
		throw error;
	}
}

export async function mustHaveDirectory(host: FileParts, path: string, cmdlet: string): Promise<void> {
	if (!(await exists(placeOf(host.root, directoryOf(path))))) throw breaks('pathNotFound', cmdlet, directoryOf(path));
}

/** On which volume a file is, for access paths that are not drives of the host. */
export function volumeOf({ state }: FileParts, path: string): AccessPath | undefined {
	return state.accessPaths.find(access => samePath(access.path, directoryOf(path)));
}
