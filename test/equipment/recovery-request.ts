import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';

export const testHostId = '5b0c3f0e-6d1f-4c56-9a3e-0d4c2d1b7a10';

export function makeRequest(changes: Partial<RecoveryRequest> = {}): RecoveryRequest {
	return {
		name: 'web01-r1',
		machine: 'web01',
		restorePoint: '2026-11-20T03:00:00.000Z',
		manifestDigest: 'a'.repeat(64),
		repository: '/srv/repository',
		host: 'local',
		hostId: testHostId,
		machineName: 'web01-r1',
		allocate: 'thin',
		networks: {},
		newMac: false,
		powerOn: true,
		policy: { finish: 'manual', switch: 'auto', maxRateBytes: 0 },
		reason: 'test',
		requestedBy: 'tester',
		...changes,
	};
}

export function planOf(request: RecoveryRequest): RecoveryPlan {
	return {
		machineName: request.machineName,
		machine: request.machine,
		restorePoint: request.restorePoint,
		manifestDigest: request.manifestDigest,
		repository: request.repository,
		config: {
			cpus: 1,
			memoryMiB: 256,
			firmware: 'bios',
			nics: [],
			diskBus: 'virtio',
			nicModel: 'virtio',
			os: 'linux',
		},
		nics: [],
		disks: [{ sizeBytes: 1 << 20, chunkSizeBytes: 131_072, contentDigest: 'b'.repeat(64), dataBytes: 0 }],
		allocate: request.allocate,
		warnings: [],
	};
}
