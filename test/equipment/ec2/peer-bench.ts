import type { TestContext } from 'node:test';
import { RouseError } from '../../../model/errors.ts';
import type { Ec2Cloud } from '../../../sources/ec2/cloud.ts';
import { AwsCloud } from '../../../sources/ec2/aws/cloud.ts';
import { Ec2MachineSource } from '../../../sources/ec2/source.ts';
import { type Clock, systemClock } from '../../../system/clock.ts';
import type { SourceBench } from '../machine-sources/bench.ts';
import { noise } from '../repositories.ts';
import { EbsPeer, type PeerFaults, peerRegion, peerSecret } from './peer.ts';

const mib = 2 ** 20;
/** The peer knows at once what was made: there is nothing to wait for. */
const hastyClock: Clock = { ...systemClock, delay: (ms, signal) => systemClock.delay(ms / 50, signal) };

/**
 * One peer for all cases, each with an instance of its own; what is left of one is in the way of the next, so it is removed. Its volumes
 * are of MiB where those of AWS are of GiB.
 */
export class PeerBenches {
	readonly #peer: EbsPeer;
	readonly #cloud: Ec2Cloud;

	private constructor(peer: EbsPeer, cloud: Ec2Cloud) {
		this.#peer = peer;
		this.#cloud = cloud;
	}

	static async start(t: Pick<TestContext, 'after'>, faults: PeerFaults = {}): Promise<PeerBenches> {
		const peer = await EbsPeer.start(t, { faults, unitBytes: mib });
		const cloud = await AwsCloud.open({ ...peer.access, region: peerRegion });
		t.after(() => cloud.close());
		return new PeerBenches(peer, cloud);
	}

	async make(): Promise<SourceBench> {
		const peer = this.#peer;
		const { instanceId, volumeIds } = await peer.instance([4, 2]);
		const [root = '', data = ''] = volumeIds;
		const sizes = new Map([
			[root, 4 * mib],
			[data, 2 * mib],
		]);
		await peer.write(root, 600 * 1024, noise(mib, 1));
		await peer.write(data, 0, noise(600 * 1024, 2));
		let address = { region: peerRegion, instanceId };
		return {
			open: ({ diesAt } = {}) => {
				const reached = (place: string) => {
					if (place === diesAt) throw new RouseError('interrupted', 'this process is dead');
				};
				return new Ec2MachineSource(address, unclosed(this.#cloud), { reached, clock: hastyClock });
			},
			places: ['begin', 'create', 'created', 'begun'],
			secrets: [peerSecret],
			guest: {
				write: (key, offsetBytes, bytes) => peer.write(key, offsetBytes, bytes),
				content: key => peer.content(key, sizes.get(key) ?? 0),
			},
			owner: {
				replaceMachine: async () => {
					const { instanceId: another } = await peer.instance([1]);
					address = { region: peerRegion, instanceId: another };
				},
			},
			fate: { loseCheckpoints: () => this.#deleteAll(), loseMoments: () => this.#deleteAll() },
			dispose: () => this.#deleteAll(),
		};
	}

	async #deleteAll(): Promise<void> {
		const { signal } = new AbortController();
		for (const { snapshotId } of await this.#cloud.snapshots({ tags: { 'rouse-import': null } }, signal))
			await this.#cloud.deleteSnapshot(snapshotId, signal);
	}
}

/** Connections are shared by all cases. */
function unclosed(cloud: Ec2Cloud): Ec2Cloud {
	return {
		region: cloud.region,
		instance: (id, signal) => cloud.instance(id, signal),
		instanceType: (name, signal) => cloud.instanceType(name, signal),
		volumes: (ids, signal) => cloud.volumes(ids, signal),
		createSnapshots: (order, signal) => cloud.createSnapshots(order, signal),
		snapshots: (query, signal) => cloud.snapshots(query, signal),
		deleteSnapshot: (id, signal) => cloud.deleteSnapshot(id, signal),
		listBlocks: (query, signal) => cloud.listBlocks(query, signal),
		block: (query, signal) => cloud.block(query, signal),
		close: async () => {},
	};
}
