/** What the SDK makes of answers, where anything may be absent, in the words of cloud.ts. What has no id is nothing. */
import type { Instance, InstanceTypeInfo, Snapshot, SnapshotInfo, Tag, Volume } from '@aws-sdk/client-ec2';
import type { Ec2Instance, Ec2InstanceType, Ec2Snapshot, Ec2Volume } from '../cloud.ts';

export function instanceOf(said: Instance, account: string | undefined): Ec2Instance | undefined {
	const { InstanceId, InstanceType, CpuOptions, Placement } = said;
	if (InstanceId === undefined) return undefined;
	const { CoreCount, ThreadsPerCore } = CpuOptions ?? {};
	return {
		instanceId: InstanceId,
		state: said.State?.Name ?? 'unknown',
		type: InstanceType ?? '',
		account: account ?? null,
		zone: Placement?.AvailabilityZone ?? null,
		image: said.ImageId ?? null,
		architecture: said.Architecture ?? null,
		name: tagsOf(said.Tags)['Name'] ?? null,
		isWindows: said.Platform?.toLowerCase() === 'windows',
		bootMode: bootModeOf(said),
		hasTpm: said.TpmSupport !== undefined && said.TpmSupport !== '',
		cpus: CoreCount === undefined ? null : CoreCount * (ThreadsPerCore ?? 1),
		rootDevice: said.RootDeviceName ?? null,
		volumes: (said.BlockDeviceMappings ?? []).flatMap(({ DeviceName, Ebs }) =>
			Ebs?.VolumeId === undefined
				? []
				: [{ device: DeviceName ?? '', volumeId: Ebs.VolumeId, state: Ebs.Status ?? 'attached' }],
		),
		nics: (said.NetworkInterfaces ?? []).map(({ MacAddress, SubnetId, Attachment }) => ({
			mac: MacAddress ?? null,
			subnet: SubnetId ?? null,
			card: Attachment?.NetworkCardIndex ?? 0,
			index: Attachment?.DeviceIndex ?? 0,
		})),
	};
}

/** What it is started by now counts; what its image wished may have been one of two. */
function bootModeOf({ CurrentInstanceBootMode, BootMode }: Instance): Ec2Instance['bootMode'] {
	const mode = CurrentInstanceBootMode ?? BootMode;
	return mode === 'uefi' || mode === 'legacy-bios' ? mode : null;
}

export function instanceTypeOf({
	VCpuInfo,
	MemoryInfo,
	Hypervisor,
	InstanceStorageInfo,
}: InstanceTypeInfo): Ec2InstanceType {
	return {
		cpus: VCpuInfo?.DefaultVCpus ?? null,
		memoryMiB: MemoryInfo?.SizeInMiB ?? null,
		hypervisor: Hypervisor ?? null,
		instanceStoreGB: InstanceStorageInfo?.TotalSizeInGB ?? 0,
	};
}

/** `unitBytes`: what a volume's size counts. */
export function volumeOf({ VolumeId, Size }: Volume, unitBytes: number): Ec2Volume | undefined {
	if (VolumeId === undefined || Size === undefined) return undefined;
	return { volumeId: VolumeId, sizeBytes: Size * unitBytes };
}

/** As it is described, or as the call tells that has made it. */
export function snapshotOf(said: Snapshot | SnapshotInfo, unitBytes: number): Ec2Snapshot | undefined {
	const { SnapshotId, VolumeId, VolumeSize, StartTime, State } = said;
	if (SnapshotId === undefined || VolumeId === undefined || VolumeSize === undefined || StartTime === undefined)
		return undefined;
	return {
		snapshotId: SnapshotId,
		volumeId: VolumeId,
		sizeBytes: VolumeSize * unitBytes,
		startedAt: StartTime.toISOString(),
		state: State ?? 'unknown',
		isArchived: 'StorageTier' in said && said.StorageTier === 'archive',
		tags: tagsOf(said.Tags),
	};
}

function tagsOf(tags: readonly Tag[] | undefined): Record<string, string> {
	return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}
