import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { timingSafeEqual } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import { readIfThere } from '../../system/if-there.ts';
import { namesIn } from '../../system/names-in.ts';
import { places, readIdentity } from '../../system/installation.ts';
import { writeNewFiles } from '../../system/write-new-files.ts';
import { type ApplianceRecord, digestOf, homeFiles, recordFile, recordSchema, systemFiles } from './files.ts';
import { parseSeed } from './seed.ts';

export interface Directories {
	/** Of Rouse. */
	home: string;
	/** The system's `/etc`. */
	etc: string;
}

/**
 * Makes this machine what the seed says; once more changes nothing. Throws `config_invalid` for a seed that is not wholly
 * understood, `identity_conflict` for one that is not of this appliance; then nothing was changed.
 */
export async function configure(seedText: string, { home, etc }: Directories): Promise<ApplianceRecord> {
	const seed = parseSeed(seedText);
	const own = await readRecord(home);
	if (own !== undefined) {
		if (!timingSafeEqual(Buffer.from(own.renewalDigest), Buffer.from(digestOf(seed.renewal))))
			throw new RouseError('identity_conflict', `the seed disk is not of this appliance, which is ${own.name}`);
		// What it keeps for recoveries is named after the host.
		if (own.name !== seed.name)
			throw new RouseError('identity_conflict', `the seed calls this appliance ${seed.name}, and it is ${own.name}`);
	}
	const hostId = await readIdentity(places.hostIdentity(home));
	if (seed.hostId !== undefined && hostId !== undefined && seed.hostId !== hostId)
		throw new RouseError('identity_conflict', `the seed says that this host is ${seed.hostId}, and it is ${hostId}`);
	const files = homeFiles(seed, home);
	await removeNetworks(etc);
	await writeNewFiles(etc, systemFiles(seed), { file: 0o644, folder: 0o755 });
	await writeNewFiles(home, files, { file: 0o600, folder: 0o700 });
	const made = await readRecord(home);
	if (made === undefined) throw new RouseError('internal', `${join(home, recordFile)} vanished`);
	return made;
}

/** Undefined before the first seed. */
export async function readRecord(home: string): Promise<ApplianceRecord | undefined> {
	const text = await readIfThere(join(home, recordFile));
	return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
}

/** An earlier seed may have had more of them. */
async function removeNetworks(etc: string): Promise<void> {
	const directory = join(etc, 'systemd', 'network');
	for (const name of await namesIn(directory))
		if (/^10-rouse-\d+\.network$/.test(name)) await rm(join(directory, name), { force: true });
}
