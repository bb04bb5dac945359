import { RouseError } from '../../../model/errors.ts';
import { Ec2MachineSource } from '../../../sources/ec2/source.ts';
import type { MachineSource } from '../../../sources/machine/contract.ts';
import type { Clock } from '../../../system/clock.ts';
import type { SourceBench } from '../machine-sources/bench.ts';
import { noise } from '../repositories.ts';
import { MemoryCloud, tokenCanary } from './memory-cloud.ts';
import { MemoryRegion } from './memory-region.ts';

const kib = 1024;
export const region = 'eu-central-1';

/** Time goes on when somebody waits for it. */
export function clockOf(of: MemoryRegion): Clock {
	return {
		now: () => of.ms,
		date: () => new Date(of.ms),
		async delay(ms, signal) {
			signal?.throwIfAborted();
			of.ms += ms;
			await Promise.resolve();
		},
	};
}

/** An instance with two volumes of a few blocks; what they hold begins within one. */
export function sampleRegion(): { of: MemoryRegion; instanceId: string; volumes: [string, string] } {
	const of = new MemoryRegion();
	const instanceId = of.id('i');
	of.types.set('m7i.large', { cpus: 2, memoryMiB: 8192, hypervisor: 'nitro', instanceStoreGB: 0 });
	of.instances.set(instanceId, {
		instanceId,
		state: 'running',
		type: 'm7i.large',
		account: '123456789012',
		zone: `${region}a`,
		image: 'ami-00000000000000001',
		architecture: 'x86_64',
		name: 'web01',
		isWindows: false,
		bootMode: 'uefi',
		hasTpm: false,
		cpus: null,
		rootDevice: '/dev/xvda',
		volumes: [],
		nics: [{ mac: '0a:11:22:33:44:55', subnet: 'subnet-00000000000000001', card: 0, index: 0 }],
	});
	// The one that is found first is not the root device.
	const data = of.attach(instanceId, '/dev/sdf', 1536 * kib);
	const root = of.attach(instanceId, '/dev/xvda', 4096 * kib);
	noise(1024 * kib, 1).copy(of.content(root), 600 * kib);
	noise(600 * kib, 2).copy(of.content(data), 0);
	return { of, instanceId, volumes: [root, data] };
}

export interface Ec2BenchOptions {
	/** For sources with a fault that the suite is to find. */
	wrap?: (source: MachineSource) => MachineSource;
}

export async function makeEc2Bench({ wrap = source => source }: Ec2BenchOptions = {}): Promise<SourceBench> {
	const { of, instanceId } = sampleRegion();
	let address = { region, instanceId };
	return {
		open: ({ diesAt } = {}) => {
			const reached = (place: string) => {
				if (place === diesAt) throw new RouseError('interrupted', 'this process is dead');
			};
			return wrap(
				new Ec2MachineSource(address, new MemoryCloud(of, reachedOnce(diesAt)), { reached, clock: clockOf(of) }),
			);
		},
		places: ['begin', 'create', 'create-disk', 'created', 'begun'],
		secrets: [tokenCanary],
		guest: {
			write: async (key, offsetBytes, bytes) => void bytes.copy(of.content(key), offsetBytes),
			content: async key => Buffer.from(of.content(key)),
		},
		owner: {
			addDisk: async () => void of.attach(instanceId, '/dev/sdg', 512 * kib),
			replaceMachine: async () => {
				const another = of.id('i');
				of.instances.set(another, { ...of.instance(instanceId), instanceId: another });
				address = { region, instanceId: another };
			},
			beBusy: async () => {
				const [, second] = of.instance(instanceId).volumes;
				if (second !== undefined) second.state = 'detaching';
			},
		},
		fate: {
			loseCheckpoints: async () => of.snapshots.clear(),
			loseMoments: async () => of.snapshots.clear(),
		},
		dispose: async () => {},
	};
}

/** At its second disk: some of the set is made then, and some is not. */
function reachedOnce(diesAt: string | undefined): (place: string) => void {
	let passed = 0;
	return place => {
		if (place === diesAt && passed++ > 0) throw new RouseError('interrupted', 'this process is dead');
	};
}
