import { stat } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';

/**
 * Whoever may write in a repository exchanges backups. A group may be meant (a NAS for several operators), and behind a
 * network file system the owner may be nobody (exports(5), root_squash): neither is asked for here.
 */
export async function mustNotBeEverybodys(path: string): Promise<void> {
	const found = await stat(path).catch(() => undefined); // whoever reads the store says why
	if (found === undefined || (found.mode & 0o002) === 0) return;
	throw new RouseError('config_invalid', `${path}, a repository, may be written by everybody`, {
		hint: `chmod o-w ${path}; of a file system without modes (exFAT, CIFS): mount it with a umask`,
	});
}

/** Before the first backup is put there: the owner of a directory exchanges what is in it. */
export async function mustBeOurs(path: string): Promise<void> {
	await mustNotBeEverybodys(path);
	const { uid } = await stat(path);
	const own = process.getuid?.() ?? uid;
	if (uid === own) return;
	throw new RouseError('config_invalid', `${path} belongs to user ${uid}, and this is user ${own}`, {
		hint: `run as user ${uid}, or let Rouse make a directory of its own: rouse repo init ${path}/rouse`,
	});
}
