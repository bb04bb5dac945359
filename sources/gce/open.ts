import type { OpenedDisk } from '../disk-facts.ts';
import { RouseError } from '../../model/errors.ts';
import type { StatedSpec } from '../../model/machine.ts';
import { parseGceUri, parseGsUri } from './address.ts';
import { configurationOf, doubtsOf, leftOutOf } from './configuration.ts';
import { GoogleAccess } from './google/access.ts';
import { GoogleApi } from './google/api.ts';
import { endpointsOf } from './google/endpoints.ts';
import { findInstance } from './instance.ts';
import { openObjectDisk } from './object-archive.ts';
import { GceArchiveSource } from './source.ts';
import { Spool } from './spool.ts';

/** By a file of Google's that tells who calls; null: by what its own tools have (application default credentials). */
export function openGoogle(credentialPath: string | null): GoogleApi {
	return new GoogleApi({ access: new GoogleAccess(credentialPath), endpoints: endpointsOf(process.env) });
}

export interface GceUris {
	/** `gs://…` of each disk. */
	archives: readonly string[];
	/** `gce://…`, if anything. */
	configuration: string | null;
}

/** How a process comes to what is there. */
export interface GceAccess {
	credentialPath: string | null;
	/** Where archives are kept as they are fetched; null: nowhere. */
	spoolDirectory: string | null;
}

/** Throws `usage`, also for an archive that is there twice: it would be two disks of one key. */
export function openGceSource({ archives, configuration }: GceUris, access: GceAccess): GceArchiveSource {
	if (new Set(archives).size < archives.length)
		throw new RouseError('usage', 'one archive is named for two disks', { hint: 'furtherDisks are those beside uri' });
	const parsed = {
		archives: archives.map(parseGsUri),
		instance: configuration === null ? null : parseGceUri(configuration),
	};
	return new GceArchiveSource({ ...parsed, spool: spoolIn(access) }, openGoogle(access.credentialPath));
}

function spoolIn({ spoolDirectory }: GceAccess): Spool | undefined {
	return spoolDirectory === null ? undefined : new Spool(spoolDirectory);
}

/** One disk, as `backup import` has it; its connections go with it. */
export async function openGsDisk(uri: string, access: GceAccess, signal: AbortSignal): Promise<OpenedDisk> {
	const address = parseGsUri(uri);
	const api = openGoogle(access.credentialPath);
	let disk: OpenedDisk | undefined;
	try {
		const opened = await openObjectDisk(api, address, signal, spoolIn(access));
		const close = async () => {
			await opened.close();
			api.close();
		};
		disk = { ...opened, close };
		return disk;
	} finally {
		if (disk === undefined) api.close();
	}
}

export interface ToldConfiguration {
	told: StatedSpec;
	/** Of the disks that it is imported with. */
	doubts(disks: readonly { sizeBytes: number }[]): string[];
}

/** What the instance at `gce://…` is made of. */
export async function readGceConfiguration(
	uri: string,
	credentialPath: string | null,
	signal: AbortSignal,
): Promise<ToldConfiguration> {
	const address = parseGceUri(uri);
	const api = openGoogle(credentialPath);
	try {
		const found = await findInstance(api, address, signal);
		return {
			told: configurationOf(found),
			doubts: disks => [
				...doubtsOf(found, disks),
				...leftOutOf(found, disks.length).map(({ what, why }) => `left out: ${what}: ${why}`),
			],
		};
	} finally {
		api.close();
	}
}
