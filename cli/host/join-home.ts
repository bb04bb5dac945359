/** A machine becomes a host of another one's installation: its home, made from an invitation. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { changeConfig } from '../../system/change-config.ts';
import { replaceFileDurably, temporarySuffix } from '../../system/durable-file.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { accessConfig, accessFiles, type HostAccess } from '../../system/host-access.ts';
import { readIfThere } from '../../system/if-there.ts';
import { identityText, openInstallation, places, readIdentity } from '../../system/installation.ts';
import { writeNewFiles } from '../../system/write-new-files.ts';
import { digestOf, type Invitation } from './invitation.ts';

/** `joined.json` of the home: written before anything else, and again when all is there. */
const recordSchema = z.strictObject({
	version: z.literal(0),
	name: nameSchema,
	hostId: z.uuid(),
	/** Of the invitation. */
	digest: z.string(),
	whole: z.boolean(),
});
type JoinRecord = z.infer<typeof recordSchema>;

const recordPath = (home: string) => join(home, 'joined.json');
const lockFile = 'join.lock';

/**
 * Makes the home of a host; again, or after a try that died anywhere, the same. False when it was that already: then nothing
 * is changed. Another invitation of the same host brings what it has up to date, and leaves the rest of config.yaml.
 * Throws `identity_conflict` for a home that is something else; then nothing was changed.
 */
export async function joinHome(named: string, invitation: Invitation): Promise<boolean> {
	const { home } = await openInstallation(named);
	return await whileLocked(join(home, lockFile), async () => {
		const { name, hostId } = invitation;
		const known = await readRecord(home);
		if (known === undefined) await mustBeEmpty(home);
		else mustBeSame(home, known, invitation);
		const digest = digestOf(invitation);
		if (known?.whole === true && known.digest === digest) return false;
		const record = { version: 0, name, hostId, digest } as const;
		await writeRecord(home, { ...record, whole: false });
		await keepIdentity(home, hostId);
		const access = accessOf(invitation);
		// Keys of another invitation stay where they are until config.yaml names these: then all of them change at once.
		const keys = join('keys', digest.slice(0, 16));
		await writeNewFiles(home, accessFiles(access, keys), { file: 0o600, folder: 0o700 });
		await configure(home, name, accessConfig(access, keys));
		await writeRecord(home, { ...record, whole: true });
		return true;
	});
}

/** Throws `phase_wrong` for one whose joining died: with a half of it, services would make an installation of their own. */
export async function mustBeWhollyJoined(home: string): Promise<void> {
	const known = await readRecord(home);
	if (known === undefined || known.whole) return;
	throw new RouseError('phase_wrong', `${home} is not yet wholly the host ${known.name}: joining it was cut off`, {
		hint: 'give the command again: rouse host join FILE',
	});
}

async function readRecord(home: string): Promise<JoinRecord | undefined> {
	const text = await readIfThere(recordPath(home));
	return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
}

async function writeRecord(home: string, record: JoinRecord): Promise<void> {
	await replaceFileDurably(recordPath(home), `${JSON.stringify(record)}\n`);
}

/** What may be in a home that is nothing yet; `lost+found` is of a file system of its own. */
const ofNothing = new Set(['installation.json', lockFile, 'lost+found']);

async function mustBeEmpty(home: string): Promise<void> {
	const there = (await readdir(home)).filter(name => !ofNothing.has(name) && !name.endsWith(temporarySuffix));
	if (there.length === 0) return;
	throw new RouseError('identity_conflict', `${home} is something else already: it has ${there.join(', ')}`, {
		hint: 'name another place in ROUSE_HOME, or make this one empty if nobody needs what is there',
	});
}

function mustBeSame(home: string, known: JoinRecord, { name, hostId }: Invitation): void {
	if (known.hostId === hostId && known.name === name) return;
	throw new RouseError(
		'identity_conflict',
		`${home} is the host ${known.name} (${known.hostId}), and the invitation is for ${name} (${hostId})`,
		{ hint: 'name another place in ROUSE_HOME' },
	);
}

async function keepIdentity(home: string, hostId: string): Promise<void> {
	const path = places.hostIdentity('');
	const known = await readIdentity(join(home, path));
	if (known === hostId) return;
	if (known !== undefined)
		throw new RouseError('identity_conflict', `${home} is of the host ${known}, and the invitation is for ${hostId}`);
	await writeNewFiles(home, [{ path, text: identityText(hostId) }], { file: 0o600, folder: 0o700 });
}

function accessOf({ temporal, keys, repositories }: Invitation): HostAccess {
	return { temporal, repositoryKeys: keys, repositories };
}

async function configure(home: string, name: string, access: ReturnType<typeof accessConfig>): Promise<void> {
	await changeConfig({ home }, document => {
		document.setIn(['host', 'name'], name);
		if (!document.hasIn(['host', 'kind'])) document.setIn(['host', 'kind'], 'qemu');
		for (const [repository, where] of Object.entries(access.repositoriesElsewhere))
			document.setIn(['repositoriesElsewhere', repository], where);
		document.setIn(['temporal'], access.temporal);
	});
}
