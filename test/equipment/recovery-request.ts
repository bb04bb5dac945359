import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { sampleConfig } from './sample-config.ts';

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
		platformOptions: {},
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
		config: sampleConfig,
		nics: [],
		disks: [
			{
				sizeBytes: 1 << 20,
				chunkSizeBytes: 131_072,
				frameSizeBytes: 65_536,
				contentDigest: 'b'.repeat(64),
				dataBytes: 0,
			},
		],
		platformOptions: request.platformOptions,
		hardware: null,
		allocate: request.allocate,
		warnings: [],
	};
}
