import { Readable } from 'node:stream';
import type { DescribeSnapshotsCommandOutput, DescribeVolumesCommandOutput, Filter } from '@aws-sdk/client-ec2';
import {
	blockBytes,
	type BlockPage,
	type BlockQuery,
	CloudError,
	type EbsBlock,
	type Ec2Cloud,
	type Ec2Instance,
	type Ec2InstanceType,
	type Ec2Snapshot,
	type Ec2Volume,
	type SnapshotOrder,
	type SnapshotQuery,
} from '../cloud.ts';
import { isFault } from '../refusals.ts';
import { bodyOf } from './body.ts';
import { type AwsAccess, type AwsClients, openClients } from './clients.ts';
import { instanceOf, instanceTypeOf, snapshotOf, volumeOf } from './convert.ts';
import { faultOf } from './faults.ts';

const gib = 2 ** 30;
const usualStallMs = 20_000;

/** EC2 and EBS of one region, by AWS's SDK. */
export class AwsCloud implements Ec2Cloud {
	readonly region: string;
	readonly #clients: AwsClients;
	readonly #unitBytes: number;
	readonly #stallMs: number;

	private constructor({ region, unitBytes = gib, stallMs = usualStallMs }: AwsAccess, clients: AwsClients) {
		this.region = region;
		this.#clients = clients;
		this.#unitBytes = unitBytes;
		this.#stallMs = stallMs;
	}

	static async open(access: AwsAccess): Promise<AwsCloud> {
		return new AwsCloud(access, await openClients(access));
	}

	async instance(instanceId: string, signal: AbortSignal): Promise<Ec2Instance | undefined> {
		const { ec2, sdk } = this.#clients;
		const command = new sdk.ec2.DescribeInstancesCommand({ InstanceIds: [instanceId] });
		const said = await unlessMissing(ask('ec2:DescribeInstances', signal, options => ec2.send(command, options)));
		const [found] = (said?.Reservations ?? []).flatMap(({ Instances = [], OwnerId }) =>
			Instances.map(one => instanceOf(one, OwnerId)),
		);
		return found?.instanceId === instanceId ? found : undefined;
	}

	async instanceType(name: string, signal: AbortSignal): Promise<Ec2InstanceType | undefined> {
		if (name === '') return undefined;
		const { ec2, sdk } = this.#clients;
		// A filter takes any text, where the SDK's list of types has only those it knows.
		const command = new sdk.ec2.DescribeInstanceTypesCommand({ Filters: [{ Name: 'instance-type', Values: [name] }] });
		const said = await unlessMissing(ask('ec2:DescribeInstanceTypes', signal, options => ec2.send(command, options)));
		const found = said?.InstanceTypes?.find(({ InstanceType }) => InstanceType === name);
		return found && instanceTypeOf(found);
	}

	async volumes(volumeIds: readonly string[], signal: AbortSignal): Promise<Ec2Volume[]> {
		const { ec2, sdk } = this.#clients;
		const found: Ec2Volume[] = [];
		for (let token: string | undefined; ; ) {
			// By a filter: of ids that are listed all have to be there.
			const filter = { Filters: [{ Name: 'volume-id', Values: [...volumeIds] }] };
			const command = new sdk.ec2.DescribeVolumesCommand({
				...filter,
				...(token === undefined ? {} : { NextToken: token }),
			});
			const said: DescribeVolumesCommandOutput = await ask('ec2:DescribeVolumes', signal, options =>
				ec2.send(command, options),
			);
			found.push(...(said.Volumes ?? []).flatMap(one => volumeOf(one, this.#unitBytes) ?? []));
			token = said.NextToken;
			if (token === undefined || token === '') return found;
		}
	}

	async createSnapshots({ instanceId, description, tags }: SnapshotOrder, signal: AbortSignal): Promise<Ec2Snapshot[]> {
		const { ec2Once, sdk } = this.#clients;
		const command = new sdk.ec2.CreateSnapshotsCommand({
			InstanceSpecification: { InstanceId: instanceId, ExcludeBootVolume: false },
			Description: description,
			TagSpecifications: [
				{ ResourceType: 'snapshot', Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
			],
		});
		const said = await ask('ec2:CreateSnapshots', signal, options => ec2Once.send(command, options));
		// They have been made with these tags, whatever the answer tells of that.
		return (said.Snapshots ?? []).flatMap(one => {
			const made = snapshotOf(one, this.#unitBytes);
			return made === undefined ? [] : [{ ...made, tags }];
		});
	}

	async snapshots({ ids, tags = {} }: SnapshotQuery, signal: AbortSignal): Promise<Ec2Snapshot[]> {
		const { ec2, sdk } = this.#clients;
		const filters: Filter[] = Object.entries(tags).map(([name, value]) =>
			value === null ? { Name: 'tag-key', Values: [name] } : { Name: `tag:${name}`, Values: [value] },
		);
		if (ids !== undefined) filters.push({ Name: 'snapshot-id', Values: [...ids] });
		const found: Ec2Snapshot[] = [];
		for (let token: string | undefined; ; ) {
			const command = new sdk.ec2.DescribeSnapshotsCommand({
				OwnerIds: ['self'],
				Filters: filters,
				MaxResults: 1000,
				...(token === undefined ? {} : { NextToken: token }),
			});
			const said: DescribeSnapshotsCommandOutput = await ask('ec2:DescribeSnapshots', signal, options =>
				ec2.send(command, options),
			);
			found.push(...(said.Snapshots ?? []).flatMap(one => snapshotOf(one, this.#unitBytes) ?? []));
			token = said.NextToken;
			if (token === undefined || token === '') return found;
		}
	}

	async deleteSnapshot(snapshotId: string, signal: AbortSignal): Promise<void> {
		const { ec2, sdk } = this.#clients;
		const command = new sdk.ec2.DeleteSnapshotCommand({ SnapshotId: snapshotId });
		await unlessMissing(ask('ec2:DeleteSnapshot', signal, options => ec2.send(command, options)));
	}

	async listBlocks(query: BlockQuery, signal: AbortSignal): Promise<BlockPage> {
		const { pageToken, startAt, most } = query;
		const at = pageToken === null ? { StartingBlockIndex: startAt } : { NextToken: pageToken };
		const of = { MaxResults: most, ...at };
		const { blocks, said } = await (query.since === null
			? this.#listAll(query.snapshotId, of, signal)
			: this.#listChanges({ ...query, since: query.since }, of, signal));
		return {
			blocks,
			next: said.NextToken === undefined || said.NextToken === '' ? null : said.NextToken,
			blockBytes: said.BlockSize ?? 0,
			volumeBytes: (said.VolumeSize ?? 0) * this.#unitBytes,
		};
	}

	async #listAll(snapshotId: string, of: PageOf, signal: AbortSignal) {
		const { ebsLists, sdk } = this.#clients;
		const command = new sdk.ebs.ListSnapshotBlocksCommand({ SnapshotId: snapshotId, ...of });
		const said = await ask('ebs:ListSnapshotBlocks', signal, options => ebsLists.send(command, options));
		const blocks = (said.Blocks ?? []).map(({ BlockIndex = -1, BlockToken }) => {
			// Without a token it would be taken for one of zeros.
			if (BlockToken === undefined)
				throw new CloudError('impossible', 'ebs:ListSnapshotBlocks', 'a block without a token');
			return { index: BlockIndex, token: BlockToken };
		});
		return { blocks, said };
	}

	async #listChanges({ snapshotId, since }: { snapshotId: string; since: string }, of: PageOf, signal: AbortSignal) {
		const { ebsLists, sdk } = this.#clients;
		const command = new sdk.ebs.ListChangedBlocksCommand({
			FirstSnapshotId: since,
			SecondSnapshotId: snapshotId,
			...of,
		});
		const said = await ask('ebs:ListChangedBlocks', signal, options => ebsLists.send(command, options));
		const blocks = (said.ChangedBlocks ?? []).map(({ BlockIndex = -1, FirstBlockToken, SecondBlockToken }) => {
			// One that the second snapshot does not have was there and is not any more: zeros. Of one that neither has nothing is said.
			if (FirstBlockToken === undefined && SecondBlockToken === undefined)
				throw new CloudError('impossible', 'ebs:ListChangedBlocks', 'a block without a token');
			return { index: BlockIndex, token: SecondBlockToken ?? null };
		});
		return { blocks, said };
	}

	async block(
		{ snapshotId, index, token }: { snapshotId: string; index: number; token: string },
		signal: AbortSignal,
	): Promise<EbsBlock> {
		const call = 'ebs:GetSnapshotBlock';
		const { ebs, sdk } = this.#clients;
		const command = new sdk.ebs.GetSnapshotBlockCommand({
			SnapshotId: snapshotId,
			BlockIndex: index,
			BlockToken: token,
		});
		const said = await ask(call, signal, options => ebs.send(command, options));
		const { BlockData, Checksum, ChecksumAlgorithm } = said;
		if (!(BlockData instanceof Readable)) throw new CloudError('cut', call, 'no body');
		const bytes = await bodyOf(BlockData, call, { mostBytes: blockBytes, idleMs: this.#stallMs }, signal);
		return { bytes, sha256: ChecksumAlgorithm === 'SHA256' && Checksum !== undefined ? Checksum : null };
	}

	async close(): Promise<void> {
		const { ebs, ebsLists, ec2, ec2Once } = this.#clients;
		for (const client of [ebs, ebsLists, ec2, ec2Once]) client.destroy();
	}
}

type PageOf = { MaxResults: number } & ({ StartingBlockIndex: number } | { NextToken: string });

/** `call`: the permission that it needs. */
async function ask<T>(
	call: string,
	signal: AbortSignal,
	send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
	signal.throwIfAborted();
	try {
		return await send({ abortSignal: signal });
	} catch (error) {
		signal.throwIfAborted();
		throw faultOf(error, call);
	}
}

async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
	try {
		return await asked;
	} catch (error) {
		if (isFault(error, 'missing')) return undefined;
		throw error;
	}
}
