import type { EBSClient } from '@aws-sdk/client-ebs';
import type { EC2Client } from '@aws-sdk/client-ec2';

export interface AwsAccess {
	region: string;
	/** Absent: as the SDK finds them, from its environment, its files, or the instance that this runs on. */
	credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
	/** Of both APIs, where it is not AWS's own. */
	endpoint?: string | undefined;
	/** What the sizes of volumes count: GiB. */
	unitBytes?: number | undefined;
	/** How long a body may bring nothing. */
	stallMs?: number | undefined;
	/** How long an answer may not begin. */
	answerMs?: number | undefined;
}

export type EbsSdk = typeof import('@aws-sdk/client-ebs');
export type Ec2Sdk = typeof import('@aws-sdk/client-ec2');

export interface AwsClients {
	ebs: EBSClient;
	/** For lists of blocks: each client repeats so much in all, and blocks are many. */
	ebsLists: EBSClient;
	ec2: EC2Client;
	/** For calls that must not be repeated by themselves. */
	ec2Once: EC2Client;
	sdk: { ebs: EbsSdk; ec2: Ec2Sdk };
}

/** By default the SDK waits without end, and says so much as a warning when a time that was set has passed. */
const timeouts = (answerMs: number) => ({
	connectionTimeout: 10_000,
	requestTimeout: answerMs,
	throwOnRequestTimeout: true,
	socketTimeout: answerMs,
});
const usualAnswerMs = 30_000;

/** More than blocks that are under way (source.ts), so that nothing waits for a connection. */
const mostSockets = 48;

/** `adaptive` does not come to an end when calls are throttled for long; three attempts, the default, are too few for that. */
const patient = { retryMode: 'standard', maxAttempts: 8 };

/** The two packages have 44 MB, and are loaded when they are needed. */
export async function openClients({
	region,
	credentials,
	endpoint,
	answerMs = usualAnswerMs,
}: AwsAccess): Promise<AwsClients> {
	const [ebs, ec2] = await Promise.all([import('@aws-sdk/client-ebs'), import('@aws-sdk/client-ec2')]);
	const common = () => ({
		region,
		...(credentials === undefined ? {} : { credentials }),
		...(endpoint === undefined ? {} : { endpoint }),
		requestHandler: {
			...timeouts(answerMs),
			httpAgent: { keepAlive: true, maxSockets: mostSockets },
			httpsAgent: { keepAlive: true, maxSockets: mostSockets },
		},
	});
	return {
		ebs: new ebs.EBSClient({ ...common(), ...patient }),
		ebsLists: new ebs.EBSClient({ ...common(), ...patient }),
		ec2: new ec2.EC2Client({ ...common(), ...patient }),
		ec2Once: new ec2.EC2Client({ ...common(), maxAttempts: 1 }),
		sdk: { ebs, ec2 },
	};
}
