/** A site comes back: a batch of six machines in two ordered groups, over two hosts with two places each. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { serviceFiles } from '../../keeper/services.ts';
import { openRepository } from '../../repository/repository.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { importDisks, noise, wholeSource } from '../equipment/repositories.ts';
import { auditSchema, damagePack, hostStayOf, mustHaveKeptTo, twoHosts } from '../equipment/two-hosts.ts';

const MiB = 2 ** 20;
const places = 2;
const patience = { timeoutMs: 90_000, everyMs: 200 };
const names = ['a', 'b', 'bad', 'c', 'd', 'e'];
const file = `
name: site
defaults: { hosts: [kvm1, kvm2], finish: manual }
groups:
  - name: web
    after: [base]
    finish: migrate
    machines: [{ machine: web01, name: c }, { machine: web01, name: d }, { machine: web01, name: e }]
  - name: base
    machines: [{ machine: web01, name: a }, { machine: web01, name: b }, { machine: bad01, name: bad }]
`;

const batchSchema = z.looseObject({
	phase: z.string(),
	items: z.array(
		z.looseObject({ name: z.string(), state: z.string(), phase: z.string().nullable(), host: z.string().nullable() }),
	),
});
const brokerSchema = z.looseObject({
	waiting: z.array(
		z.looseObject({
			requestId: z.string(),
			position: z.int(),
			lacks: z.array(z.looseObject({ resource: z.string(), why: z.string() })),
		}),
	),
});
test('`batch start` over two hosts: groups in order, no host above its places, one damaged chunk, one worker that dies, a changed priority', async t => {
	const { control, there } = await twoHosts(t, 'simulated', { places, stored: store });
	const whole = await damagePack(control.repository, noise(MiB, 2).subarray(MiB / 2, MiB / 2 + 64));
	const path = join(await temporaryDirectory(t), 'site.yaml');
	await writeFile(path, file);
	await control.answer('batch', 'start', path);
	const look = async () => batchSchema.parse(await control.answer('batch', 'show', 'site'));
	const stateOf = async (name: string) => (await look()).items.find(item => item.name === name)?.state;
	const broker = async () => brokerSchema.parse(await control.answer('broker', 'show'));

	const full = await waitFor(
		'two to wait for a place',
		async () => {
			const { waiting } = await broker();
			return waiting.length === 2 && waiting;
		},
		patience,
	);
	assert.deepEqual(await Promise.all(['a', 'b', 'bad'].map(stateOf)), ['ready', 'ready', 'ready']);
	const lacked = full.flatMap(({ lacks }) => lacks.map(({ resource }) => resource));
	assert.ok(lacked.length > 0 && lacked.every(resource => /^host\/kvm[12]\/recoveries$/.test(resource)), lacked.join());
	const last = full.at(-1)?.requestId ?? '';
	const preferred = last.split('/')[1] ?? '';
	await control.answer('broker', 'prioritize', last, '--priority', '1', '--reason', 'the shop');
	assert.equal((await broker()).waiting[0]?.requestId, last);

	// Its keeper first, which would start another at once.
	const { home } = there.installation;
	for (const name of ['keeper', 'host-worker'] as const) await endHolder(serviceFiles(home, name).lockPath);
	for (const name of ['a', 'b', 'bad']) await control.answer('recover', 'migrate', name);
	await there.answer('up', '--detach');
	await waitFor('the batch to be over', async () => (await look()).phase === 'over', patience);
	const { parked } = await control.shown('bad', 'parked', shown => shown.parked !== null);
	assert.equal(parked?.code, 'chunk_bad');
	for (const name of names.filter(each => each !== 'bad'))
		await control.shown(name, 'finished', ({ phase }) => phase === 'finished');

	await whole();
	await control.answer('recover', 'retry', 'bad');
	await control.shown('bad', 'finished', ({ phase }) => phase === 'finished');

	const stays = await Promise.all(names.map(name => hostStayOf(control, name)));
	mustHaveKeptTo(places, stays);
	assert.deepEqual(new Set(stays.map(({ host }) => host)), new Set(['kvm1', 'kvm2']));
	const began = new Map(stays.map(({ name, fromMs }) => [name, fromMs]));
	const waited = full.map(({ requestId }) => requestId.split('/')[1] ?? '');
	assert.equal(
		waited.toSorted((one, other) => (began.get(one) ?? 0) - (began.get(other) ?? 0))[0],
		preferred,
		'who was preferred goes first',
	);
	const told = auditSchema.parse(await control.answer('audit', 'batch/site')).entries;
	for (const name of names)
		assert.ok(
			told.some(({ text }) => text.startsWith(`${name} is ready`)),
			name,
		);
});

async function store(directory: string): Promise<void> {
	const repository = await openRepository(directory);
	try {
		await importDisks(repository, [wholeSource(noise(MiB, 1))], { machine: 'web01' });
		await importDisks(repository, [wholeSource(noise(MiB, 2))], { machine: 'bad01' });
	} finally {
		await repository.store.close();
	}
}
