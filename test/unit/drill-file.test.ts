import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandDrill } from '../../client/drill/expand.ts';
import { drillFileSchema } from '../../model/drill-file.ts';
import { readYaml } from '../../system/parse-yaml.ts';
import { batchSurroundings } from '../equipment/batch-surroundings.ts';

function read(text: string) {
	return readYaml(`name: weekly\n${text}`, 'drill.yaml', drillFileSchema, 'spec_invalid');
}

async function expanded(text: string) {
	const { value, placeOf } = read(text);
	return expandDrill(value, { ...batchSurroundings(), placeOf });
}

const one = (more: string) => `groups: [{name: g, machines: [{machine: db01, ${more}}]}]`;

test("a drill file comes to recoveries that are the drill's, last in line, never copied, and named so", async () => {
	const { plan } = await expanded(one('tests: [{agent: [uptime]}]'));
	const { common, items } = plan.batch;
	assert.deepEqual(
		[items[0]?.name, common.drill, common.priority, common.policy],
		['db01-drill', { name: 'weekly' }, 5, { finish: 'manual', switch: 'manual', maxRateBytes: 0 }],
	);
	assert.deepEqual(plan.tests, {
		'db01-drill': [{ name: 'agent', check: { by: 'agent', command: ['uptime'] }, timeoutMs: 60_000 }],
	});
	assert.equal((await expanded(one('priority: 1'))).plan.batch.common.priority, 1);
});

test('tests of a machine take the place of those of its group, and these of those for all', async () => {
	const { plan } = await expanded(`
defaults: {tests: [{name: all, agent: [a]}]}
groups:
  - {name: g, machines: [db01, {machine: db02, tests: []}]}
  - {name: h, tests: [{name: group, command: own, args: [x], within: 5m}], machines: [web01]}
`);
	assert.deepEqual(
		Object.values(plan.tests).map(tests => tests.map(({ name, timeoutMs }) => [name, timeoutMs])),
		[[['all', 60_000]], [], [['group', 300_000]]],
	);
});

test('each form of a test is read, and what is none is refused with the forms and its place', () => {
	const entryWith = (written: string) => read(one(`tests: [${written}]`)).value.groups[0]?.machines[0];
	for (const [written, check] of [
		[
			'{ssh: "root@127.0.0.1:2222", run: uptime}',
			{ by: 'ssh', address: '127.0.0.1', port: 2222, user: 'root', command: 'uptime' },
		],
		['{serial: "root\\n", expect: "#"}', { by: 'serial', send: 'root\n', expect: '#' }],
		['{tcp: "127.0.0.1:80"}', { by: 'tcp', address: '127.0.0.1', port: 80 }],
		['{ping: 10.0.0.1}', { by: 'ping', address: '10.0.0.1' }],
	] as const) {
		const entry = entryWith(written);
		assert.ok(typeof entry === 'object' && entry.tests);
		assert.deepEqual(entry.tests[0]?.check, check);
	}
	for (const wrong of [
		'{}',
		'{agent: [a], ping: 10.0.0.1}',
		'{agent: [a], run: x}',
		'{ssh: nobody}',
		'{tcp: here}',
		'{serial: x}',
	])
		assert.throws(
			() => entryWith(wrong),
			{ code: 'spec_invalid', message: /drill\.yaml:\d+:\d+.*one of \{agent/ },
			wrong,
		);
});

test('what is for machines that stay is no field of a drill file, and no network but none', () => {
	for (const field of ['finish: migrate', 'switch: auto', 'newMac: true', 'power: off', 'networks: {lan: bridge0}'])
		assert.throws(() => read(one(field)), { code: 'spec_invalid' }, field);
	read(one('networks: {lan: none}'));
});

test('what would be asked of an address that is not forwarded to the machine itself is refused: the original may answer', async () => {
	const forwards = 'forwards: [{port: 10022, guestPort: 22}]';
	for (const asks of [
		'ready: {ping: 10.0.0.1}',
		'ready: {tcp: "10.0.0.1:10022"}',
		'tests: [{ping: 10.0.0.1}]',
		'tests: [{tcp: "db01:10022"}]',
		'tests: [{tcp: "127.0.0.1:22"}]',
	])
		await assert.rejects(
			expanded(one(`${forwards}, ${asks}`)),
			{ code: 'spec_invalid', message: /another machine/ },
			asks,
		);
	await expanded(one(`${forwards}, ready: {tcp: "localhost:10022"}, tests: [{tcp: "127.0.0.1:10022"}]`));
});
