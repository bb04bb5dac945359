import { parseEc2SnapshotUri, parseEc2Uri } from './address.ts';
import { AwsCloud } from './aws/cloud.ts';
import type { AwsAccess } from './aws/clients.ts';
import { Ec2SnapshotSource } from './snapshot-source.ts';
import { Ec2MachineSource, type Ec2Options } from './source.ts';

/** The instance at `ec2://REGION/i-…`. Nothing is asked of AWS yet. Throws `config_invalid`. */
export async function openEc2Source(
	uri: string,
	access: Omit<AwsAccess, 'region'> = {},
	options: Ec2Options = {},
): Promise<Ec2MachineSource> {
	const address = parseEc2Uri(uri);
	return new Ec2MachineSource(address, await AwsCloud.open({ ...access, region: address.region }), options);
}

/** The snapshot at `ec2-snapshot://REGION/snap-…`, as above. */
export async function openEc2SnapshotSource(
	uri: string,
	access: Omit<AwsAccess, 'region'> = {},
): Promise<Ec2SnapshotSource> {
	const address = parseEc2SnapshotUri(uri);
	return new Ec2SnapshotSource(address, await AwsCloud.open({ ...access, region: address.region }));
}
