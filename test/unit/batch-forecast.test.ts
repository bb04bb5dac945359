import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflictsOf } from '../../client/batch/conflicts.ts';
import { demandsOf } from '../../client/batch/demand.ts';
import { assumed } from '../../client/batch/play-through.ts';
import { estimateOf } from '../../client/batch/estimate.ts';
import { placesOf } from '../../client/batch/places.ts';
import type { WantedItem } from '../../client/batch/expand.ts';
import { isSamePlan } from '../../client/batch/same-plan.ts';
import { batchSurroundings, expanded } from '../equipment/batch-surroundings.ts';
import { sampleRecoveryView } from '../equipment/sample-host.ts';

const mac = '52:54:00:00:00:01';

/** With a card of this address on the network `lan`. */
function withMac({ point, ...item }: WantedItem): WantedItem {
	const config = { ...point.config, nics: [{ mac, network: 'lan' }] };
	return { ...item, point: { ...point, config } };
}

const textsOf = (conflicts: ReturnType<typeof conflictsOf>) => conflicts.map(({ text }) => text);

test('`conflictsOf` tells one MAC address among the machines of a batch, but not where no card is heard', async () => {
	const groups = (more: string) =>
		expanded(`groups: [{name: g, machines: [{machine: db01, ${more}}, {machine: db02, networks: {lan: bridge0}}]}]`);
	const of = async (more: string) => textsOf(conflictsOf((await groups(more)).items.map(withMac), []));
	assert.deepEqual(await of('networks: {lan: bridge0}'), [`one MAC address ${mac}: db01-r1, db02-r1`]);
	assert.deepEqual(await of('networks: {lan: none}'), []);
	assert.deepEqual(await of('networks: {lan: bridge0}, newMac: true'), []);
});

test('`conflictsOf` tells one name on a host, and one original twice', async () => {
	const items = async (host: string) =>
		(
			await expanded(
				`groups: [{name: g, machines: [{machine: db01, machineName: x}, {machine: db01, name: y, machineName: x, hosts: [${host}]}]}]`,
			)
		).items;
	assert.deepEqual(textsOf(conflictsOf(await items('local'), [])), [
		'one name x on the same host: db01-r1, y',
		'one original db01: db01-r1, y',
	]);
	assert.deepEqual(textsOf(conflictsOf(await items('other'), [])), ['one original db01: db01-r1, y']);
});

test('`conflictsOf` tells what a host has already, but for what the batch would be attached to', async () => {
	const { items } = await expanded('groups: [{name: g, machines: [{machine: db01, networks: {lan: bridge0}}]}]');
	const of = (changes: object) =>
		textsOf(conflictsOf(items.map(withMac), [{ host: 'local', views: [{ ...sampleRecoveryView, ...changes }] }]));
	assert.deepEqual(of({}), [`db01-r1: web01-r1 on local has its MAC address ${mac}`]);
	assert.deepEqual(of({ nics: [], machineName: 'db01-r1' }), [
		'db01-r1: local has a machine db01-r1 already (web01-r1)',
	]);
	assert.deepEqual(of({ name: 'db01-r1' }), []);
	assert.deepEqual(of({ state: 'discarded' }), []);
});

test('`demandsOf` adds up what the machines need, by the hosts that they may go to', async () => {
	const { items } = await expanded(
		'groups: [{name: g, machines: [{machine: db01, allocate: thin}, db02, {machine: web01, hosts: [local, other], memory: 128}]}]',
	);
	const { hosts } = batchSurroundings();
	const [own, pool, all] = demandsOf(items, hosts);
	assert.deepEqual(own, {
		hosts: ['local'],
		machines: 2,
		neededBytes: (1 << 20) + 4096,
		freeBytes: 1 << 30,
		memoryMiB: 128,
		freeMemoryMiB: 512,
	});
	assert.deepEqual([pool?.hosts, pool?.memoryMiB, pool?.freeBytes], [['local', 'other'], 128, 2 ** 31]);
	assert.deepEqual([all?.machines, all?.hosts], [3, ['local', 'other']]);
	const silent = new Map([...hosts].map(([name, { place }]) => [name, { place, view: null }]));
	assert.equal(demandsOf(items, silent)[0]?.freeBytes, null);
});

test('`estimateOf` lets machines wait for the window and for the groups before them', async () => {
	const estimate = async (text: string) => {
		const { plan, items } = await expanded(text);
		return estimateOf(plan, items, new Map());
	};
	const turn = assumed.startMs;
	const machines = "machines: ['*']";
	assert.equal((await estimate(`groups: [{name: g, ${machines}}]`)).readyMs, turn);
	assert.equal((await estimate(`window: 2\ngroups: [{name: g, ${machines}}]`)).readyMs, 3 * turn);
	const ordered = "groups: [{name: b, after: [a], machines: ['db*']}, {name: a, ready: {agent: 5m}, machines: [dc01]}]";
	const { readyMs, readyAtMostMs, localMs } = await estimate(ordered);
	assert.equal(readyMs, 2 * turn + assumed.readyMs);
	assert.equal(readyAtMostMs, 2 * turn + 300_000);
	assert.equal(localMs, null);
	const slow = await estimate(`defaults: {finish: migrate, maxRate: 8}\ngroups: [{name: g, ${machines}}]`);
	assert.equal(slow.localMs, turn + (4096 / 8) * 1_000);
});

test('`estimateOf` counts the places of hosts, which are taken until a recovery is finished, and says what bounds the batch', async () => {
	const estimate = async (text: string, places: Record<string, number>) => {
		const { plan, items } = await expanded(text);
		const { readyMs, withoutPlace, bound, localMs } = estimateOf(plan, items, new Map(Object.entries(places)));
		return [readyMs / assumed.startMs, withoutPlace, bound, localMs === null ? null : localMs > 0];
	};
	const five = "groups: [{name: g, machines: ['*']}]";
	assert.deepEqual(await estimate(five, {}), [1, 0, null, null]);
	assert.deepEqual(await estimate(`window: 2\n${five}`, { local: 5 }), [3, 0, 'window', null]);
	assert.deepEqual(
		await estimate(five, { local: 2 }),
		[1, 3, 'host/local/recoveries', null],
		'until a person says migrate',
	);
	const copied = `defaults: {finish: migrate}\n${five}`;
	const [turns, without, bound, isLocal] = await estimate(copied, { local: 2 });
	assert.ok(Number(turns) > 3 && Number(turns) < 3.01, `${turns} turns, with two short copies between them`);
	assert.deepEqual([without, bound, isLocal], [0, 'host/local/recoveries', true]);
	assert.deepEqual(await estimate(copied, { local: 0 }), [0, 5, 'host/local/recoveries', null]);
	const pool = `defaults: {hosts: [local, other]}\n${five}`;
	assert.deepEqual(await estimate(pool, { local: 2, other: 3 }), [1, 0, null, null]);
	assert.deepEqual(await estimate(pool, { local: 2, other: 2 }), [1, 1, 'host/local/recoveries', null]);
});

test('`placesOf` is what the broker counts, less what others hold', () => {
	const lease = (name: string, step: string, host = 'kvm1') => ({
		requestId: `recovery/${name}/x/${step}`,
		holder: { workflowId: `recovery/${name}`, firstRunId: 'x' },
		host,
		token: 1,
		grantedMs: 0,
		expectedEndMs: 0,
		onHost: true,
		orphanedMs: null,
	});
	const resource = (name: string, capacity: number | null, held: number) => ({
		resource: name,
		capacity,
		held,
		set: null,
		reserved: 0,
	});
	const resources = [
		resource('host/kvm1/recoveries', 4, 3),
		resource('host/kvm2/recoveries', null, 0),
		resource('host/kvm1/memoryMiB', 100, 0),
		resource('host/kvm3/recoveries', 0, 1),
	];
	const leases = [lease('own', 'run-2'), lease('own', 'migrate'), lease('a', 'run'), lease('b', 'run')];
	assert.deepEqual(
		[...placesOf({ resources, leases }, ['own'])],
		[
			['kvm1', 2],
			['kvm3', 0],
		],
	);
});

test('two plans are the same when they come to the same, whatever time a deadline was counted from', async () => {
	const text = 'groups: [{name: g, machines: [{machine: db01, rto: 4h}]}]';
	const planOf = async (groups: string, nowMs?: number) =>
		(await expanded(groups, nowMs === undefined ? {} : { nowMs })).plan;
	const plan = await planOf(text);
	assert.ok(isSamePlan(plan, await planOf(`reason: other\n${text}`, Date.parse('2026-11-22T00:00:00Z'))));
	assert.equal(isSamePlan(plan, await planOf(`window: 3\n${text}`)), false);
	assert.equal(isSamePlan(plan, await planOf(text.replace('db01', 'db02'))), false);
	assert.equal(isSamePlan(plan, await planOf(text.replace('name: g', 'name: h'))), false);
});
