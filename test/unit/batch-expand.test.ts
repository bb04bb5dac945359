import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveryRequestSchema } from '../../model/recovery.ts';
import { batchPlanSchema } from '../../model/batch.ts';
import { hashRequest } from '../../client/requests.ts';
import { batchSurroundings, expanded, otherHostId, pointOf } from '../equipment/batch-surroundings.ts';
import { makeRequest, testHostId } from '../equipment/recovery-request.ts';
import { sampleHostView } from '../equipment/sample-host.ts';
import { sampleSourceFacts } from '../equipment/sample-source-facts.ts';

const inGroups = async (groups: string) =>
	(await expanded(groups)).items.map(({ group, request }) => `${group}: ${request.machine}`);

test('a pattern of a batch takes what no entry names and no pattern before it has taken', async () => {
	const groups = [
		'groups:',
		"  - {name: first, machines: ['db*', web02]}",
		"  - {name: rest, machines: ['*', {machine: dc01, name: dc}]}",
	].join('\n');
	assert.deepEqual(await inGroups(groups), ['first: db01', 'first: db02', 'first: web02', 'rest: web01', 'rest: dc01']);
	assert.deepEqual(await inGroups("groups: [{name: g, machines: ['*b0?']}]"), [
		'g: db01',
		'g: db02',
		'g: web01',
		'g: web02',
	]);
});

test('what is nearest to a machine counts in a batch: its entry, its group, the defaults; networks are merged', async () => {
	const { items } = await expanded(
		[
			'defaults: {priority: 4, networks: {lan: bridge0, dmz: none}, rto: 4h, finish: migrate}',
			'groups:',
			'  - name: g',
			'    priority: 2',
			'    ready: {agent: 5m}',
			'    machines:',
			'      - db01',
			'      - {machine: web01, priority: 1, networks: {dmz: bridge0}, by: 2026-11-20T03:00Z, ready: power}',
		].join('\n'),
	);
	const [db, web] = items.map(({ request }) => request);
	assert.equal(db?.priority, 2);
	assert.equal(db?.deadline, '2026-11-21T04:00:00.000Z');
	assert.deepEqual(db?.readiness, { check: { by: 'agent' }, timeoutMs: 300_000 });
	assert.equal(db?.policy.finish, 'migrate');
	assert.deepEqual(web?.networks, { lan: 'bridge0', dmz: 'bridge0' });
	assert.deepEqual([web?.priority, web?.deadline, web?.readiness], [1, '2026-11-20T03:00:00.000Z', undefined]);
});

test('a batch over several hosts asks for a pool, over one for that host, else for the own one', async () => {
	const { items } = await expanded(
		'groups: [{name: g, machines: [db01, {machine: db02, hosts: [other]}, {machine: dc01, hosts: [other, local]}]}]',
	);
	const places = items.map(({ request: { host, hostId, pool } }) => ({ host, hostId, pool }));
	const [local, other] = [
		{ host: 'local', hostId: testHostId },
		{ host: 'other', hostId: otherHostId },
	];
	assert.deepEqual(places, [
		{ ...local, pool: undefined },
		{ ...other, pool: undefined },
		{ ...other, pool: [other, local] },
	]);
});

test('the plan of a batch gives back each request, with its hash', async () => {
	const { plan, items } = await expanded(
		"groups: [{name: g, machines: ['db*']}, {name: h, after: [g], machines: [{machine: web01, priority: 1}, dc01]}]",
	);
	batchPlanSchema.parse(plan);
	for (const [at, { request }] of items.entries()) {
		const made = recoveryRequestSchema.parse({ ...plan.common, ...plan.items[at]?.differs });
		assert.deepEqual(made, request);
		assert.equal(plan.items[at]?.requestHash, hashRequest(request));
	}
	// What most have stands once.
	assert.equal(plan.common.repository, '/srv/main');
	assert.equal('repository' in (plan.items[0]?.differs ?? {}), false);
	assert.deepEqual(plan.groups, [
		{ name: 'g', after: [] },
		{ name: 'h', after: ['g'] },
	]);
});

test('`latest` of a recovery that exists is the restore point that it was started with', async () => {
	const time = '2026-11-19T03:00:00.000Z';
	const existing = (changes: object) => () =>
		makeRequest({ machine: 'db01', repository: '/srv/main', restorePoint: time, ...changes });
	const timeOf = async (there: ReturnType<typeof existing>, point = 'latest') => {
		const { items } = await expanded(`groups: [{name: g, machines: [{machine: db01, point: ${point}}]}]`, {
			existing: there,
		});
		return items[0]?.request.restorePoint;
	};
	assert.equal(await timeOf(existing({})), time);
	assert.equal(await timeOf(existing({ machine: 'other' })), pointOf('db01').time);
	assert.equal(await timeOf(existing({ repository: '/srv/other' })), pointOf('db01').time);
	assert.equal(await timeOf(existing({}), 'latest before 2026-11-21T00:00Z'), pointOf('db01').time);
});

const refusals: [what: string, groups: string, code: string, message: RegExp][] = [
	[
		'a machine that is not there',
		'groups: [{name: g, machines: [db01, x]}]',
		'machine_unknown',
		/^site\.yaml:2:37: no machine x/,
	],
	[
		'a pattern that matches nothing',
		"groups: [{name: g, machines: ['x*']}]",
		'machine_unknown',
		/^site\.yaml:2:31: .*x\*/,
	],
	[
		'a host that is not there',
		'groups: [{name: g, machines: [{machine: db01, hosts: [x]}]}]',
		'host_unknown',
		/^site\.yaml:2:31: there is no host x/,
	],
	[
		'a network that its host does not have',
		'groups: [{name: g, machines: [{machine: db01, networks: {lan: x}}]}]',
		'config_invalid',
		/^site\.yaml:2:31: host local has no network "x"/,
	],
	[
		'one recovery twice',
		'groups: [{name: g, machines: [db01,\n  db01]}]',
		'spec_invalid',
		/^site\.yaml:3:3: a recovery db01-r1 is there already, at site\.yaml:2:31/,
	],
	[
		'a name for a pattern',
		"groups: [{name: g, machines: [{machine: 'db*', name: x}]}]",
		'spec_invalid',
		/^site\.yaml:2:48: name is of one machine/,
	],
	[
		'two groups of one name',
		'groups: [{name: g, machines: [db01]}, {name: g, machines: [db02]}]',
		'spec_invalid',
		/^site\.yaml:2:40: there is a group g before/,
	],
	[
		'a group after none',
		'groups: [{name: g, after: [h], machines: [db01]}]',
		'spec_invalid',
		/^site\.yaml:2:28: there is no group h/,
	],
	[
		'a group after itself',
		'groups: [{name: g, after: [g], machines: [db01]}]',
		'spec_invalid',
		/^site\.yaml:2:20: groups wait for each other: g after g/,
	],
	[
		'groups in a circle',
		'groups: [{name: a, machines: [db01]}, {name: b, after: [a, d], machines: [db02]}, {name: c, after: [b], machines: [web01]}, {name: d, after: [c], machines: [web02]}]',
		'spec_invalid',
		/: groups wait for each other: b after d after c after b/,
	],
];

for (const [what, groups, code, message] of refusals)
	test(`a batch with ${what} is refused with the place`, async () => {
		await assert.rejects(expanded(groups), { code, message });
	});

/** A repository with so many machines of each of these letters. */
function catalogueOf(number: number, ...letters: string[]) {
	const machines = letters.flatMap(letter => Array.from({ length: number }, (_, n) => `${letter}${n}`));
	const point = async (_: string, machine: string) => pointOf(machine);
	return { machines: async () => machines, point, pointAt: point };
}

test('a batch of more machines than it bears is refused with advice', async () => {
	await assert.rejects(expanded("groups: [{name: g, machines: ['*']}]", { catalogue: catalogueOf(2_001, 'm') }), {
		message: '2001 machines: a batch takes 2000',
		hint: /several batches/,
	});
});

test('a batch whose plan is too large to be handed over is refused with advice', async () => {
	const networks = Array.from({ length: 500 }, (_, n) => `network-${n}-${'x'.repeat(80)}: none`).join(', ');
	const groups = `groups: [{name: g, machines: ['a*']}, {name: h, networks: {${networks}}, machines: ['b*']}]`;
	await assert.rejects(expanded(groups, { catalogue: catalogueOf(30, 'a', 'b') }), {
		code: 'spec_invalid',
		message: /^batch site: it comes to 1\d+ bytes, and a batch bears 1310720: make several of it$/,
	});
});

test('a host of a pool that cannot take a machine is a warning while another can', async () => {
	const broken = { code: 'tool_missing', message: 'no QEMU', hint: '' } as const;
	const hosts = (unusable: { local: typeof broken | null; other: typeof broken | null }) =>
		new Map([
			[
				'local',
				{ place: { host: 'local', hostId: testHostId }, view: { ...sampleHostView, unusable: unusable.local } },
			],
			[
				'other',
				{ place: { host: 'other', hostId: otherHostId }, view: { ...sampleHostView, unusable: unusable.other } },
			],
		]);
	const pool = 'groups: [{name: g, machines: [{machine: db01, hosts: [local, other]}]}]';
	const { warnings } = await expanded(pool, { hosts: hosts({ local: broken, other: null }) });
	assert.deepEqual(warnings, ['db01 goes elsewhere: no QEMU']);
	await assert.rejects(expanded(pool, { hosts: hosts({ local: broken, other: broken }) }), { code: 'tool_missing' });
});

test('nothing is known of a host that did not answer, and a machine may go there', async () => {
	const hosts = new Map([['local', { place: { host: 'local', hostId: testHostId }, view: null }]]);
	const { items } = await expanded('groups: [{name: g, machines: [{machine: db01, networks: {lan: x}}]}]', { hosts });
	assert.equal(items.length, 1);
});

test('a batch warns of a restore point whose disks are of no one moment', async () => {
	const { catalogue } = batchSurroundings();
	const facts = { source: { ...sampleSourceFacts, consistency: 'none' } };
	const point = async (_directory: string, machine: string) => ({
		...pointOf(machine),
		...(machine === 'web01' ? { facts } : {}),
	});
	const groups = 'groups: [{name: g, machines: [web01, web02]}]';
	const { warnings } = await expanded(groups, { catalogue: { ...catalogue, point } });
	assert.equal(warnings.length, 1);
	assert.match(warnings.join(), /^web01@2026-11-20T03:00:00\.000Z: its disks are of no one moment/);
});
