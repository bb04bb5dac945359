import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CapacityReport } from '../../model/broker.ts';
import { CapacityNews, reportAgainMs, unheardEveryMs } from '../../workers/capacity-news.ts';
import { forwardOnce } from '../../workers/capacity-reports.ts';
import { hostIdOf, leaseRequest } from '../equipment/broker-site.ts';

const held = { request: leaseRequest('a', { hosts: ['kvm1'], onHost: { recoveries: 1 } }), host: 'kvm1', token: 1 };
const report = {
	reporter: 'host/kvm1',
	hostId: hostIdOf('host/kvm1'),
	number: 5,
	resources: {
		recoveries: { total: 8, outside: 1 },
		memoryMiB: { total: 64_000, outside: 10_000 },
		vcpus: { total: 32, outside: 4 },
	},
	held: [held],
} satisfies CapacityReport;

function changed(resources: Partial<typeof report.resources>, more: Partial<CapacityReport> = {}): CapacityReport {
	return { ...report, number: 6, resources: { ...report.resources, ...resources }, ...more };
}

/** One who was told of `report` at 0. */
function told(): CapacityNews {
	const news = new CapacityNews();
	assert.equal(news.due(report, 0), true);
	news.told(report, 0);
	return news;
}

test('`CapacityNews`: leases, counts and totals are told at once, another number is no news', () => {
	assert.equal(told().due(changed({}), 1), false);
	const memory = { total: 63_999, outside: 10_000 };
	for (const other of [
		changed({}, { held: [] }),
		changed({}, { held: [{ ...held, token: 2 }] }),
		changed({}, { reporter: 'host/kvm2' }),
		changed({ recoveries: { total: 8, outside: 0 } }),
		changed({ vcpus: { total: 31, outside: 4 } }),
		changed({ memoryMiB: memory }),
	])
		assert.equal(told().due(other, 1), true);
});

test('`CapacityNews`: memory that others take is told when a sixty-fourth of all has come or gone since it was told', () => {
	const news = told();
	const outside = (taken: number) => changed({ memoryMiB: { total: 64_000, outside: taken } });
	for (const taken of [10_400, 10_999, 9_001]) assert.equal(news.due(outside(taken), 1), false);
	for (const taken of [11_000, 9_000]) assert.equal(news.due(outside(taken), 1), true);
	news.told(outside(11_000), 1);
	assert.equal(news.due(outside(10_001), 2), false);
});

test('`CapacityNews`: all is told again after a minute, and to a broker that was not there as soon as it is', () => {
	const news = told();
	assert.equal(news.due(report, reportAgainMs - 1), false);
	assert.equal(news.due(report, reportAgainMs), true);
	news.unheard(reportAgainMs);
	assert.equal(news.due(report, reportAgainMs + unheardEveryMs - 1), false);
	assert.equal(news.due(report, reportAgainMs + unheardEveryMs), true);
});

test('`forwardOnce` tells what is due, and keeps for the next time what could not be told', async () => {
	const sent: number[] = [];
	let answer: () => Promise<boolean> = async () => true;
	let nowMs = 0;
	const news = new CapacityNews();
	const forward = async (number: number) => {
		const tell = async (each: CapacityReport) => {
			sent.push(each.number);
			return answer();
		};
		const supervisor = { capacity: async () => ({ ...report, number }) };
		await forwardOnce(supervisor, tell, news, new AbortController().signal, () => nowMs);
	};
	answer = () => Promise.reject(new Error('the server is away'));
	await assert.rejects(forward(1), /away/);
	answer = async () => false;
	await forward(2);
	await forward(3);
	answer = async () => true;
	nowMs = unheardEveryMs;
	await forward(4);
	await forward(5);
	assert.deepEqual(sent, [1, 2, 4]);
});
