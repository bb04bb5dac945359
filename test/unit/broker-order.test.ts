import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaseRequest } from '../../model/broker.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const minute = 60_000;
const mount = { 'repository/main/mounts': 1 };

function mountOf(machine: string, changes: Partial<LeaseRequest> = {}): LeaseRequest {
	return leaseRequest(machine, { shared: mount, ...changes });
}

/** One mount, taken by `holder`. */
function fullSite(): { site: BrokerSite; holder: LeaseRequest } {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const holder = mountOf('holder');
	site.acquire(holder);
	site.tick();
	return { site, holder };
}

/** Gives the only mount back again and again, and says in which order it is granted. */
function orderOf(site: BrokerSite, requests: readonly LeaseRequest[], holder: LeaseRequest): string[] {
	const order: string[] = [];
	let current = holder;
	for (;;) {
		site.release(current);
		const [granted] = site.tick();
		if (granted === undefined) return order;
		order.push(granted);
		current = requests.find(({ holder: { workflowId } }) => workflowId === `recovery/${granted}`) ?? current;
	}
}

test('`tick` grants by priority, then by deadline, then by age', () => {
	const { site, holder } = fullSite();
	const requests = [
		mountOf('late', { sinceMs: site.nowMs - 1_000 }),
		mountOf('early', { sinceMs: site.nowMs - 2_000 }),
		mountOf('by-six', { deadlineMs: site.nowMs + 6 * minute }),
		mountOf('by-five', { deadlineMs: site.nowMs + 5 * minute }),
		mountOf('urgent', { priority: 1 }),
		mountOf('whenever', { priority: 5, deadlineMs: site.nowMs }),
	];
	site.acquire(...requests);
	assert.deepEqual(orderOf(site, requests, holder), ['urgent', 'by-five', 'by-six', 'early', 'late', 'whenever']);
});

test('`tick` grants the one that came first when nothing else tells them apart', () => {
	const { site, holder } = fullSite();
	const requests = ['b', 'a', 'c'].map(machine => mountOf(machine));
	site.acquire(...requests);
	assert.deepEqual(orderOf(site, requests, holder), ['b', 'a', 'c']);
});

test('`tick` puts a request that has waited ten minutes before newer ones of the next priority', () => {
	const { site, holder } = fullSite();
	const old = mountOf('old', { priority: 3 });
	site.acquire(old);
	site.tick(10 * minute);
	const fresh = mountOf('fresh', { priority: 2, sinceMs: site.nowMs });
	const fresher = mountOf('fresher', { priority: 1, sinceMs: site.nowMs });
	site.acquire(fresh, fresher);
	assert.deepEqual(orderOf(site, [old, fresh, fresher], holder), ['fresher', 'old', 'fresh']);
});

test('`acquire` counts the age from the first time that the holder asked, and no further than from now', () => {
	const { site, holder } = fullSite();
	const again = mountOf('again', { step: 'run-2', sinceMs: site.nowMs - 10 * minute });
	const ahead = mountOf('ahead', { priority: 2, sinceMs: site.nowMs + 60 * minute });
	const plain = mountOf('plain', { priority: 3 });
	site.acquire(ahead, plain, again);
	assert.deepEqual(orderOf(site, [again, ahead, plain], holder), ['again', 'ahead', 'plain']);
});

test('`prioritize` changes the place of one that waits, and not its age', () => {
	const { site, holder } = fullSite();
	const requests = [mountOf('one', { sinceMs: site.nowMs - minute }), mountOf('two')];
	site.acquire(...requests);
	site.happens({ type: 'prioritize', requestId: 'recovery/two/a/run', priority: 1, deadlineMs: null });
	site.happens({ type: 'prioritize', requestId: 'recovery/nobody/a/run', priority: 1, deadlineMs: null });
	assert.deepEqual(orderOf(site, requests, holder), ['two', 'one']);
});

test('`tick` grants all of a request or nothing of it', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 }, 'host/kvm1': { recoveries: 1, memoryMiB: 4096 } });
	const wide = leaseRequest('wide', { shared: mount, hosts: ['kvm1'], onHost: { recoveries: 1, memoryMiB: 4096 } });
	const reader = mountOf('reader');
	site.acquire(reader);
	assert.deepEqual(site.tick(), ['reader']);
	site.acquire(wide);
	assert.deepEqual(site.tick(), []);
	site.release(reader);
	assert.deepEqual(site.tick(), ['wide@kvm1']);
});

test('`tick` lets nobody take what a request before it needs, and others take the rest', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 3 }, 'host/kvm1': { memoryMiB: 10 } });
	const holder = leaseRequest('holder', { hosts: ['kvm1'], onHost: { memoryMiB: 5 } });
	site.acquire(holder);
	site.tick();
	site.acquire(leaseRequest('big', { shared: mount, hosts: ['kvm1'], onHost: { memoryMiB: 8 } }));
	site.acquire(leaseRequest('small', { hosts: ['kvm1'], onHost: { memoryMiB: 1 } }));
	site.acquire(mountOf('second'), mountOf('third'), mountOf('fourth'));
	// Of three mounts one is kept for `big`; of the memory it may have all.
	assert.deepEqual(site.tick(), ['second', 'third']);
	site.release(holder);
	assert.deepEqual(site.tick(), ['big@kvm1', 'small@kvm1']);
});

test('`tick` of a request that nothing in sight lets start keeps nothing from others', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 }, 'host/kvm1': { memoryMiB: 10 } });
	site.acquire(leaseRequest('huge', { shared: mount, hosts: ['kvm1'], onHost: { memoryMiB: 11 } }));
	site.acquire(leaseRequest('elsewhere', { shared: mount, hosts: ['kvm9'], onHost: { memoryMiB: 1 } }));
	const reader = mountOf('reader');
	site.acquire(reader);
	assert.deepEqual(site.tick(), ['reader']);
	site.release(reader);
	site.report('host/kvm9', { memoryMiB: 1 });
	site.report('host/kvm1', { memoryMiB: 11 });
	assert.deepEqual(site.tick(), ['huge@kvm1']);
});
