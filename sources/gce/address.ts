/** Addresses of Google Cloud: `gs://BUCKET/OBJECT`, an archive of a disk, and `gce://PROJECT/ZONE/INSTANCE`, whose configuration is meant. */
import { RouseError } from '../../model/errors.ts';

export interface GsAddress {
	bucket: string;
	object: string;
}

export interface GceAddress {
	project: string;
	zone: string;
	instance: string;
}

/**
 * Cloud Storage documentation, "About buckets: naming" and "About objects: naming". A `?` or `#` would be taken for what is no
 * part of a name: of the other tools `#` has a generation follow.
 */
const gsAddress = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])\/([^?#\p{C}]{1,400})$/u;
/** Compute Engine documentation, "Naming resources", "AI zones" (`us-central1-ai1a`); Resource Manager, "Creating and managing projects". */
const gceAddress =
	/^gce:\/\/([a-z][a-z0-9-]{4,28}[a-z0-9])\/([a-z]+(?:-[a-z]+)+\d{1,2}-(?:ai\d{1,2})?[a-z])\/([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)$/;

export function isGsUri(uri: string): boolean {
	return /^gs:\/\//i.test(uri);
}

/** Throws `usage`. Names are written as they are, without `%`. */
export function parseGsUri(uri: string): GsAddress {
	const [, bucket, object] = gsAddress.exec(uri) ?? [];
	if (bucket !== undefined && object !== undefined) return { bucket, object };
	throw new RouseError('usage', 'this is no address of an object: gs://BUCKET/OBJECT is one', {
		hint: 'as gs://exports/web01.tar.gz; names with ? or # cannot be given, and credentials stand in no address',
	});
}

export function gsUri({ bucket, object }: GsAddress): string {
	return `gs://${bucket}/${object}`;
}

/** Throws `usage`. */
export function parseGceUri(uri: string): GceAddress {
	const [, project, zone, instance] = gceAddress.exec(uri) ?? [];
	if (project !== undefined && zone !== undefined && instance !== undefined) return { project, zone, instance };
	throw new RouseError('usage', 'this is no address of an instance: gce://PROJECT/ZONE/INSTANCE is one', {
		hint: 'as gce://my-project/europe-west3-a/web01',
	});
}

export function gceUri({ project, zone, instance }: GceAddress): string {
	return `gce://${project}/${zone}/${instance}`;
}
