import { type HostView, protocolVersion, type RecoveryView } from '../../supervisor/protocol.ts';
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
	datastore: null,
	freeBytes: 1 << 30,
	memory: { totalMiB: 1024, freeMiB: 512 },
	warnings: ['slow'],
	unusable: null,
};

/** A recovery that runs from the repository and is migrated. */
export const sampleRecoveryView: RecoveryView = {
	name: 'web01-r1',
	recoveryId: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d',
	machineName: 'web01',
	generation: 7,
	state: 'active',
	done: ['reserve', 'allocate', 'create-machine', 'start-movers', 'snapshot', 'power-on'],
	chain: 'mover',
	sealed: false,
	power: 'on',
	blocked: null,
	disks: [{ sizeBytes: 1 << 30, restoredBytes: 1 << 29, path: '/h/disk0.raw' }],
	nics: [
		{ mac: '52:54:00:00:00:01', network: 'lan', target: 'bridge:br0' },
		{ mac: '52:54:00:00:00:02', network: 'dmz', target: 'none' },
	],
	restored: false,
	copying: true,
	copyLimits: [],
	movers: [{ kind: 'mount', alive: true, pid: 7 }],
	switchPauseMs: null,
	firstReads: null,
	unpinned: null,
	stalled: null,
	switchStage: 'none',
	powerDesired: 'on',
	powerOrder: 0,
	drill: null,
	forwards: [],
	readBytes: null,
	runDirectory: '/run/x',
	platform: { qmpSocket: '/run/x/qmp.sock' },
	directory: '/h',
	incidents: 6,
};
