/**
 * Directories that hold what decides for us: configuration, programs, sockets, guests' disks. Who may write in one of them,
 * or in one that leads to it, is us: so nobody else may.
 */
import type { Stats } from 'node:fs';
import { chmod, lstat, readlink, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { isErrno } from './durable-file.ts';
import { makeFolders } from './make-folders.ts';

export interface OwnDirectory {
	path: string;
	/** For people: `home of Rouse`. */
	what: string;
	/** What a person does to have it elsewhere. */
	elsewhere: string;
}

interface User {
	uid: number;
	gid: number;
}

/** Makes it, with mode 0700, or takes one that is there: read bits of others are taken away. `config_invalid` when not ours. */
export async function makeOwnDirectory(directory: OwnDirectory): Promise<void> {
	await checkWay(directory);
	await makeFolders(directory.path, 0o700);
	const { mode } = await checkOwner(directory);
	if ((mode & 0o077) !== 0) await chmod(directory.path, 0o700);
}

/** The same look, without a change; what is not there is nobody's. */
export async function checkOwnDirectory(directory: OwnDirectory): Promise<void> {
	await checkWay(directory);
	try {
		await checkOwner(directory);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
	}
}

async function checkOwner(directory: OwnDirectory): Promise<Stats> {
	const found = await stat(directory.path);
	const objection = objectionToOwn(found, ourselves());
	if (objection === undefined) return found;
	throw new RouseError('config_invalid', `${directory.path}, the ${directory.what}, ${objection.what}`, {
		hint: `${objection.mend(directory.path)}, or ${directory.elsewhere}`,
	});
}

type Looked = Pick<Stats, 'uid' | 'gid' | 'mode'>;

interface Objection {
	what: string;
	mend: (path: string) => string;
}

/** Why a directory is not one that a user alone writes in. */
export function objectionToOwn({ uid, mode }: Looked, user: User): Objection | undefined {
	if (uid !== user.uid)
		return { what: `belongs to user ${uid}, and this is user ${user.uid}`, mend: () => `run as user ${uid}` };
	if ((mode & 0o022) !== 0) return writable(mode);
	return undefined;
}

/**
 * Why one cannot be trusted to lead to what is ours: who may write in it exchanges what is in it. In a sticky one (/tmp)
 * only its owner and the owner of the entry may (unlink(2), EPERM). The group may when it is ours alone, as a rule: the
 * user's own (useradd(8), USERGROUPS_ENAB), root's.
 */
export function objectionToLead({ uid, gid, mode }: Looked, user: User): Objection | undefined {
	if (uid !== user.uid && uid !== 0) return { what: `belongs to user ${uid}`, mend: () => `run as user ${uid}` };
	if ((mode & 0o1000) !== 0) return undefined;
	const byGroup = (mode & 0o020) !== 0 && gid !== user.gid && gid !== 0;
	return byGroup || (mode & 0o002) !== 0 ? writable(mode) : undefined;
}

function writable(mode: number): Objection {
	const octal = (mode & 0o7777).toString(8).padStart(4, '0');
	return {
		what: `may be written by others (mode ${octal})`,
		mend: path => `look what is in it, then: chmod go-w ${path}`,
	};
}

/** As many as Linux follows: path_resolution(7). */
const maxLinks = 40;

/** Every directory on the way, the links followed one by one: who may exchange one of them exchanges the whole. */
export async function checkWay(directory: OwnDirectory): Promise<void> {
	const user = ourselves();
	const left = parts(resolve(directory.path));
	let here = '/';
	let links = 0;
	for (let name = left.shift(); name !== undefined; name = left.shift()) {
		mustLead(directory, here, objectionToLead(await stat(here), user));
		const next = join(here, name);
		const found = await unlessMissing(next);
		if (found === undefined) return;
		if (!found.isSymbolicLink()) {
			here = next;
			continue;
		}
		if (++links > maxLinks) throw new RouseError('config_invalid', `${directory.path}: too many symbolic links`);
		// Its bits say nothing: only its owner, and whoever may write beside it, can exchange it.
		mustLead(directory, next, objectionToLead({ uid: found.uid, gid: found.gid, mode: 0 }, user));
		const to = await readlink(next);
		if (to.startsWith('/')) here = '/';
		left.unshift(...parts(to));
	}
}

function mustLead(directory: OwnDirectory, path: string, objection: Objection | undefined): void {
	if (objection === undefined) return;
	throw new RouseError(
		'config_invalid',
		`${directory.path}, the ${directory.what}, is reached through ${path}, which ${objection.what}`,
		{ hint: `${objection.mend(path)}, or ${directory.elsewhere}` },
	);
}

function parts(path: string): string[] {
	return path.split('/').filter(part => part !== '' && part !== '.');
}

async function unlessMissing(path: string): Promise<Stats | undefined> {
	try {
		return await lstat(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

function ourselves(): User {
	return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}
