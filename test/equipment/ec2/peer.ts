/** EC2 and EBS by a program that is not ours, and an instance in it. */
import { open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { AttachVolumeCommand, CreateVolumeCommand, EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import type { AwsAccess } from '../../../sources/ec2/aws/clients.ts';
import { freePort } from '../../../system/free-port.ts';
import { waitFor } from '../../../system/wait.ts';
import { type Captive, captive, temporaryDirectory } from '../captive.ts';
import { testPython } from '../test-python.ts';

export const peerRegion = 'eu-central-1';
/** Of credentials that it takes, as it takes any: what no file, message or history may have in it. */
export const peerSecret = 'canary-secret-of-the-peer';
const credentials = { accessKeyId: 'AKIAPEER', secretAccessKey: peerSecret };
/** The same as a file. */
export const peerCredentialFile = [
	'[default]',
	`aws_access_key_id = ${credentials.accessKeyId}`,
	`aws_secret_access_key = ${peerSecret}`,
	'',
].join('\n');

export interface PeerFaults {
	PEER_TOKEN_SECONDS?: string;
	PEER_THROTTLED?: string;
	PEER_CUT?: string;
	PEER_STILL?: string;
	PEER_FLIPPED?: string;
}

export class EbsPeer {
	readonly endpoint: string;
	readonly access: Omit<AwsAccess, 'region'>;
	readonly #directory: string;
	readonly #server: Captive;

	private constructor(directory: string, server: Captive, endpoint: string, unitBytes: number | undefined) {
		this.#directory = directory;
		this.#server = server;
		this.endpoint = endpoint;
		this.access = { endpoint, credentials, unitBytes };
	}

	/** `unitBytes`: what the sizes of volumes count, GiB at AWS. */
	static async start(
		t: Pick<TestContext, 'after'>,
		{ faults = {}, unitBytes }: { faults?: PeerFaults; unitBytes?: number } = {},
	): Promise<EbsPeer> {
		const directory = await temporaryDirectory(t);
		const port = await freePort();
		const program = new URL('peer.py', import.meta.url).pathname;
		const variables = Object.entries(faults).map(([name, value]) => `${name}=${value}`);
		const server = captive(t, 'env', [...variables, await testPython(), program, directory, String(port)]);
		const endpoint = `http://127.0.0.1:${port}`;
		await waitFor(
			'the EBS peer',
			async () => {
				if (server.child.exitCode !== null) throw new Error(`the EBS peer has ended: ${server.said()}`);
				return fetch(`${endpoint}/moto-api/`).then(
					async answer => (await answer.arrayBuffer()).byteLength > 0,
					() => false,
				);
			},
			{ timeoutMs: 60_000, everyMs: 100 },
		);
		return new EbsPeer(directory, server, endpoint, unitBytes);
	}

	/** An instance with a root volume and others, of so many units each; their ids in the order of a guest. */
	async instance(sizes: readonly [number, ...number[]]): Promise<{ instanceId: string; volumeIds: string[] }> {
		const client = new EC2Client({ region: peerRegion, endpoint: this.endpoint, credentials });
		try {
			const [rootUnits, ...others] = sizes;
			const root = { DeviceName: '/dev/sda1', Ebs: { VolumeSize: rootUnits } };
			const run = new RunInstancesCommand({
				ImageId: 'ami-12c6146b',
				InstanceType: 'm5.large',
				MinCount: 1,
				MaxCount: 1,
				BlockDeviceMappings: [root],
			});
			const [made] = (await client.send(run)).Instances ?? [];
			const instanceId = made?.InstanceId ?? '';
			const rootId = made?.BlockDeviceMappings?.[0]?.Ebs?.VolumeId ?? '';
			const volumeIds = [rootId];
			for (const units of others)
				volumeIds.push(await this.#attach(client, instanceId, units, `/dev/sd${'fghijk'[volumeIds.length - 1]}`));
			return { instanceId, volumeIds };
		} finally {
			client.destroy();
		}
	}

	async #attach(client: EC2Client, instanceId: string, units: number, device: string): Promise<string> {
		const create = new CreateVolumeCommand({ AvailabilityZone: `${peerRegion}a`, Size: units });
		const { VolumeId = '' } = await client.send(create);
		await client.send(new AttachVolumeCommand({ InstanceId: instanceId, VolumeId, Device: device }));
		return VolumeId;
	}

	/** The file of a volume's content. */
	volume(volumeId: string): string {
		return join(this.#directory, `${volumeId}.raw`);
	}

	async write(volumeId: string, offsetBytes: number, bytes: Buffer): Promise<void> {
		const file = await open(this.volume(volumeId), 'a+').then(async made => {
			await made.close();
			return open(this.volume(volumeId), 'r+');
		});
		try {
			await file.write(bytes, 0, bytes.length, offsetBytes);
		} finally {
			await file.close();
		}
	}

	async content(volumeId: string, sizeBytes: number): Promise<Buffer> {
		await this.write(volumeId, 0, Buffer.alloc(0));
		await truncate(this.volume(volumeId), sizeBytes);
		return readFile(this.volume(volumeId));
	}

	/** Each block that it has given out, `snap-… 7`, as often as it has. */
	async blocksRead(): Promise<string[]> {
		const text = await readFile(join(this.#directory, 'blocks-read'), 'utf8');
		return text.split('\n').filter(line => line !== '');
	}

	async end(): Promise<void> {
		await this.#server.end('SIGKILL');
	}
}
