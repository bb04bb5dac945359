import type { GceDescribed } from '../../../sources/gce/instance.ts';

const api = 'https://www.googleapis.com/compute/v1/projects/my-project';

/** As `instances.get` answers, shortened: two disks, the one that it boots from last, and a local SSD. */
const sampleInstance = {
	kind: 'compute#instance',
	id: '42',
	name: 'web01',
	status: 'RUNNING',
	zone: `${api}/zones/europe-west3-a`,
	machineType: `${api}/zones/europe-west3-a/machineTypes/e2-standard-2`,
	labels: { env: 'prod', with_underscore: 'x' },
	disks: [
		{
			kind: 'compute#attachedDisk',
			type: 'PERSISTENT',
			index: 1,
			boot: false,
			deviceName: 'data',
			diskSizeGb: '200',
			interface: 'SCSI',
		},
		{
			kind: 'compute#attachedDisk',
			type: 'SCRATCH',
			index: 2,
			boot: false,
			deviceName: 'local-ssd-0',
			diskSizeGb: '375',
			interface: 'NVME',
		},
		{
			kind: 'compute#attachedDisk',
			type: 'PERSISTENT',
			index: 0,
			boot: true,
			deviceName: 'web01',
			diskSizeGb: '10',
			interface: 'SCSI',
			architecture: 'X86_64',
			guestOsFeatures: [{ type: 'VIRTIO_SCSI_MULTIQUEUE' }, { type: 'UEFI_COMPATIBLE' }],
		},
	],
	networkInterfaces: [
		{
			network: `${api}/global/networks/default`,
			subnetwork: `${api}/regions/europe-west3/subnetworks/web`,
			networkIP: '10.0.0.2',
		},
		{ network: `${api}/global/networks/backend` },
	],
	shieldedInstanceConfig: { enableSecureBoot: false, enableVtpm: true, enableIntegrityMonitoring: true },
};

const sampleType = {
	kind: 'compute#machineType',
	name: 'e2-standard-2',
	guestCpus: 2,
	memoryMb: 8192,
	isSharedCpu: false,
};

/** By their paths at the API. */
export const sampleResources: readonly (readonly [path: string, resource: object])[] = [
	['projects/my-project/zones/europe-west3-a/instances/web01', sampleInstance],
	['projects/my-project/zones/europe-west3-a/machineTypes/e2-standard-2', sampleType],
];

/** The same as it is looked at. */
export function sampleDescribed(): GceDescribed {
	const disk = { type: 'PERSISTENT', boot: false, interface: 'SCSI' };
	return {
		address: { project: 'my-project', zone: 'europe-west3-a', instance: 'web01' },
		instance: {
			id: '42',
			name: 'web01',
			machineType: sampleInstance.machineType,
			labels: { ...sampleInstance.labels },
			disks: [
				{
					...disk,
					boot: true,
					index: 0,
					deviceName: 'web01',
					diskSizeGb: 10,
					architecture: 'X86_64',
					guestOsFeatures: [{ type: 'VIRTIO_SCSI_MULTIQUEUE' }, { type: 'UEFI_COMPATIBLE' }],
				},
				{ ...disk, index: 1, deviceName: 'data', diskSizeGb: 200, guestOsFeatures: [] },
				{
					...disk,
					type: 'SCRATCH',
					index: 2,
					deviceName: 'local-ssd-0',
					diskSizeGb: 375,
					interface: 'NVME',
					guestOsFeatures: [],
				},
			],
			networkInterfaces: sampleInstance.networkInterfaces,
			shieldedInstanceConfig: { enableSecureBoot: false, enableVtpm: true },
		},
		type: { guestCpus: 2, memoryMb: 8192 },
	};
}
