import { RouseError } from '../../model/errors.ts';

/** Where an instance is: `ec2://REGION/INSTANCE`. */
export interface Ec2Address {
	region: string;
	instanceId: string;
}

/** Ids have 17 hex digits; those of before 2016 have 8. */
const address = /^ec2:\/\/([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\/(i-(?:[0-9a-f]{17}|[0-9a-f]{8}))$/;
const snapshotAddress = /^ec2-snapshot:\/\/([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\/(snap-(?:[0-9a-f]{17}|[0-9a-f]{8}))$/;

/** Throws `config_invalid`. Whatever else stands in such a URI is refused: it could only be a secret, or a mistake. */
export function parseEc2Uri(uri: string): Ec2Address {
	const [, region, instanceId] = address.exec(uri) ?? [];
	if (region !== undefined && instanceId !== undefined) return { region, instanceId };
	throw new RouseError('config_invalid', 'this is no address of an EC2 instance: ec2://REGION/i-… is one', {
		hint: 'as ec2://eu-central-1/i-0123456789abcdef0; credentials have a name, and stand in no address',
	});
}

export function ec2Uri({ region, instanceId }: Ec2Address): string {
	return `ec2://${region}/${instanceId}`;
}

/** Where one snapshot is: `ec2-snapshot://REGION/SNAPSHOT`. */
export interface Ec2SnapshotAddress {
	region: string;
	snapshotId: string;
}

/** Throws `config_invalid`. */
export function parseEc2SnapshotUri(uri: string): Ec2SnapshotAddress {
	const [, region, snapshotId] = snapshotAddress.exec(uri) ?? [];
	if (region !== undefined && snapshotId !== undefined) return { region, snapshotId };
	throw new RouseError('config_invalid', 'this is no address of an EBS snapshot: ec2-snapshot://REGION/snap-… is one', {
		hint: 'as ec2-snapshot://eu-central-1/snap-0123456789abcdef0; credentials have a name, and stand in no address',
	});
}

export function ec2SnapshotUri({ region, snapshotId }: Ec2SnapshotAddress): string {
	return `ec2-snapshot://${region}/${snapshotId}`;
}
