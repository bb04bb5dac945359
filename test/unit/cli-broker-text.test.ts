import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitingText } from '../../cli/broker/waiting-text.ts';
import { viewText } from '../../cli/broker/view-text.ts';
import type { BrokerView } from '../../model/broker-view.ts';
import type { LeaseRequest } from '../../model/broker.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const gibibytes = (count: number) => ({ hosts: ['kvm1'], onHost: { memoryMiB: count * 1024 } });

/** 12 of 16 GiB are taken: by `web01` until 09:20 UTC, by `db` until then and a half. */
function fullSite(): BrokerSite {
	const site = new BrokerSite({ 'host/kvm1': { memoryMiB: 16_384 } });
	site.nowMs = Date.parse('2027-01-15T09:00:00Z');
	site.acquire(leaseRequest('web01', { ...gibibytes(4), expectedMs: 20 * 60_000 }));
	site.acquire(leaseRequest('db', { ...gibibytes(8), expectedMs: 50 * 60_000 }));
	site.tick();
	return site;
}

/** What is said of `machine` when it waits as well. */
function textOf(site: BrokerSite, machine: string, request: Partial<LeaseRequest>): string {
	site.acquire(leaseRequest(machine, request));
	site.tick();
	const view = viewOf(site);
	const waiting = view.waiting.find(({ requestId }) => requestId.startsWith(`recovery/${machine}/`));
	assert.ok(waiting);
	return waitingText(waiting, view);
}

function viewOf(site: BrokerSite): BrokerView {
	return explain(site.state, site.nowMs, 100);
}

/** Local, as people read it. */
function clock(utc: string): string {
	const time = new Date(utc);
	return [time.getHours(), time.getMinutes()].map(part => String(part).padStart(2, '0')).join(':');
}

test('`waitingText` names the resource, what is free of it, who holds it, the place and the estimated start', () => {
	const site = fullSite();
	const start = `estimated start ${clock('2027-01-15T09:20:00Z')} (in 20 min)`;
	assert.equal(
		textOf(site, 'app', gibibytes(8)),
		`host/kvm1/memoryMiB: 4096 of 16384 free, 8192 wanted; held by db (8192), web01 (4096); place 1, ${start}`,
	);
});

test('`waitingText` tells for whom the rest is kept, and of a deadline that is missed', () => {
	const site = fullSite();
	textOf(site, 'app', gibibytes(8));
	const late = { ...gibibytes(4), deadlineMs: Date.parse('2027-01-15T09:10:00Z'), priority: 5 };
	const text = textOf(site, 'last', late);
	assert.match(text, /; held by db \(8192\), web01 \(4096\); kept for app \(8192\); place 2, estimated start /);
	assert.ok(text.endsWith(`, after its deadline ${clock('2027-01-15T09:10:00Z')} (in 10 min)`), text);
});

test('`waitingText` tells of what nobody reports, and of more than there can be', () => {
	const site = fullSite();
	assert.equal(
		textOf(site, 'lost', { hosts: ['kvm9'], onHost: { memoryMiB: 1 } }),
		'host/kvm9/memoryMiB: nobody has said how much there is, 1 wanted; place 1, no start in sight',
	);
	assert.match(
		textOf(site, 'huge', gibibytes(32)),
		/^host\/kvm1\/memoryMiB: 32768 wanted of 16384, whoever gives back; /,
	);
});

test('`waitingText` and `viewText` give the words of a host that takes nothing new', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 4 } });
	const reduced = 'the datastore was at 27 ms, above 20 ms: no new migration';
	site.report('host/kvm1', {}, { resources: { migrations: { total: 0, outside: 0, reduced } } });
	const text = textOf(site, 'app', { hosts: ['kvm1'], onHost: { migrations: 1 } });
	assert.equal(text, `host/kvm1/migrations: ${reduced}; place 1, no start in sight`);
	assert.match(viewText(viewOf(site)), new RegExp(`^host/kvm1/migrations: ${reduced}$`, 'm'));
});

test('`waitingText` of a broker that was started anew says what it has not heard', () => {
	const site = new BrokerSite();
	site.happens({ type: 'tick' });
	const text = textOf(site, 'app', { shared: { 'repository/main/mounts': 1 } });
	assert.match(
		text,
		/^the broker was started anew at .* has heard: what open recoveries and imports hold; .*; place 1$/,
	);
});

test('`viewText` has resources, leases, the queue, and how an orphaned lease is released', () => {
	const site = fullSite();
	site.acquire(leaseRequest('app', { ...gibibytes(8), sinceMs: site.nowMs }));
	site.tick();
	site.happens({ type: 'holders-closed', holders: [{ workflowId: 'recovery/db', firstRunId: 'a' }] });
	const text = viewText(viewOf(site));
	assert.match(text, /^host\/kvm1\/memoryMiB +16384 +12288 +8192 +4096$/m);
	assert.match(text, /^web01\/run +kvm1 +/m);
	assert.match(text, /^ {2}app\/run, priority 3, waits for host\/kvm1\/memoryMiB: 4096 of 16384 free/m);
	assert.match(text, /rouse broker release db\/run --reason TEXT --confirm db\/run/);
});

test('`viewText` names an import by its machine, and by its whole id where two repositories have one of it', () => {
	const site = new BrokerSite({ 'repository/main': { imports: 3 } });
	const turn = (repository: string, machine: string) =>
		leaseRequest(machine, {
			holder: { workflowId: `import/${repository}/${machine}`, firstRunId: 'a' },
			step: 'import',
			shared: { 'repository/main/imports': 1 },
		});
	site.acquire(turn('main', 'web'), turn('main', 'db'), turn('old', 'db'));
	site.tick();
	const text = viewText(viewOf(site));
	for (const id of ['web/import', 'import/main/db/a/import', 'import/old/db/a/import'])
		assert.match(text, new RegExp(`^${id} `, 'm'));
});

test('`viewText` has the whole id of two requests that have one short name', () => {
	const site = fullSite();
	site.acquire(leaseRequest('db', { ...gibibytes(1), holder: { workflowId: 'recovery/db', firstRunId: 'b' } }));
	site.tick();
	const text = viewText(viewOf(site));
	for (const id of ['recovery/db/a/run', 'recovery/db/b/run', 'web01/run'])
		assert.match(text, new RegExp(`^${id} `, 'm'));
});
