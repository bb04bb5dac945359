import { type HostView, protocolVersion } from '../../supervisor/protocol.ts';
import { testHostId } from './recovery-request.ts';

/** A host on which everything is possible, and nothing runs. */
export const sampleHostView: HostView = {
	hostId: testHostId,
	name: 'local',
	pid: 1,
	protocol: protocolVersion,
	platform: 'pretend',
	hypervisor: 'pretend 1',
	accelerator: 'pretended',
	firmwares: ['bios'],
	networks: [{ name: 'bridge0', description: 'a network' }],
	networksMissing: 'no bridges here',
	freeBytes: 1 << 30,
	memory: { totalMiB: 1024, freeMiB: 512 },
	warnings: ['slow'],
	unusable: null,
};
