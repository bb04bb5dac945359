/**
 * What a full broker costs: `node bench/broker.ts` prints JSON, in ms of processor time. 2,000 requests wait for 500
 * resources – 100 hosts of four kinds, 50 repositories of two – over pools of several sizes; in each round one lease comes
 * back and one request is new.
 */
import { explain } from '../workflows/broker/explain.ts';
import { dehydrate } from '../workflows/broker/dehydrate.ts';
import { rehydrate } from '../workflows/broker/rehydrate.ts';
import { brokerLimits, type LeaseRequest } from '../model/broker.ts';
import { BrokerSite, leaseRequest } from '../test/equipment/broker-site.ts';

const hosts = Array.from({ length: 100 }, (_, number) => `kvm${number}`);
const repositories = Array.from({ length: 50 }, (_, number) => `repository/r${number}`);
/** Before that the compiler is at work. */
const warmRounds = 200;
const rounds = 100;

function fullSite(poolHosts: number): BrokerSite {
	const site = new BrokerSite({
		...Object.fromEntries(
			hosts.map(host => [`host/${host}`, { recoveries: 4, memoryMiB: 65_536, vcpus: 64, migrations: 4 }]),
		),
		...Object.fromEntries(repositories.map(repository => [repository, { mounts: 20, streams: 8 }])),
	});
	for (let number = 0; number < 4_000; number += 1) {
		site.acquire(requestOf(number, poolHosts));
		if (number === 1_000) site.tick();
		if (site.state.waiters.size === brokerLimits.waiters) break;
	}
	return site;
}

function requestOf(number: number, poolHosts: number): LeaseRequest {
	const repository = repositories[number % repositories.length];
	return leaseRequest(`m${number}`, {
		shared: { [`${repository}/mounts`]: 1, [`${repository}/streams`]: 1 },
		hosts: Array.from({ length: poolHosts }, (_, index) => hosts[(number * 7 + index) % hosts.length] ?? ''),
		onHost: { recoveries: 1, memoryMiB: 4_096 + (number % 9) * 1_024, vcpus: 2, migrations: 1 },
		lasting: number % 3 === 0 ? ['memoryMiB'] : [],
		priority: 1 + (number % 5),
		expectedMs: 60_000 + ((number * 7_919) % 3_600_000),
	});
}

function cpuMs(work: () => void): number {
	const before = process.cpuUsage();
	work();
	const { user, system } = process.cpuUsage(before);
	return (user + system) / 1_000;
}

function measure(poolHosts: number) {
	const site = fullSite(poolHosts);
	const tookMs: number[] = [];
	for (let round = 0; round < warmRounds + rounds; round += 1) {
		const [requestId] = site.state.leases.keys();
		if (requestId !== undefined) site.happens({ type: 'release', release: { requestId, stays: null } });
		site.acquire(requestOf(4_000 + round, poolHosts));
		site.nowMs += 1_000;
		tookMs.push(cpuMs(() => site.tick()));
	}
	const sorted = tookMs.slice(warmRounds).toSorted((one, other) => one - other);
	const explainMs = cpuMs(() => explain(site.state, site.nowMs, 100));
	let json = '';
	const dehydrateMs = cpuMs(() => (json = JSON.stringify(dehydrate(site.state))));
	const rehydrateMs = cpuMs(() => rehydrate(JSON.parse(json)));
	return {
		poolHosts,
		waiting: site.state.waiters.size,
		leases: site.state.leases.size,
		round: { medianMs: sorted[rounds / 2], p95Ms: sorted[(rounds * 95) / 100] },
		explainMs,
		dehydrateMs,
		rehydrateMs,
		stateBytes: json.length,
	};
}

console.log(JSON.stringify([1, 8, 32].map(measure), null, '\t'));
