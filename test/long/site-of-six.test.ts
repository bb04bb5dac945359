/** A site of QEMU machines comes back over two hosts: one full guest, five without an operating system; slow, for CI has its simulated twin. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { buildGuest } from '../../cli/demo/backups.ts';
import { verifyGuest } from '../../cli/demo/batch/guest.ts';
import { writeCheck } from '../../cli/demo/batch/hosts.ts';
import { checkName } from '../../cli/demo/batch/site.ts';
import { GuestConsole } from '../../cli/demo/console.ts';
import { serviceFiles } from '../../keeper/services.ts';
import { openRepository } from '../../repository/repository.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { importDisks, noise, wholeSource } from '../equipment/repositories.ts';
import { auditSchema, damagePack, hostStayOf, mustHaveKeptTo, twoHosts } from '../equipment/two-hosts.ts';

const MiB = 2 ** 20;
const places = 2;
const diskBytes = 8 * MiB;
const deadMs = 30_000;
const patience = { timeoutMs: 600_000, everyMs: 500 };
/** What is on the disks of those without a guest, by their seed. */
const seeds = { app01: 11, app02: 12, app03: 13, app04: 14, bad01: 15 } as const;
const names = ['shop', 'bad', 'a1', 'a2', 'a3', 'a4'];
const file = `
name: site
defaults: { hosts: [kvm1, kvm2], finish: manual }
groups:
  - name: web
    after: [base]
    finish: migrate
    # So that the last place is held until the priority is changed.
    maxRate: 512KiB
    machines: [{ machine: app02, name: a2 }, { machine: app03, name: a3 }, { machine: app04, name: a4 }]
  - name: base
    machines:
      - { machine: shop01, name: shop, ready: { command: ${checkName}, within: 8m } }
      - { machine: bad01, name: bad }
      - { machine: app01, name: a1 }
`;

const batchSchema = z.looseObject({
	phase: z.string(),
	items: z.array(z.looseObject({ name: z.string(), state: z.string(), reason: z.string().nullable() })),
});
const brokerSchema = z.looseObject({
	waiting: z.array(z.looseObject({ requestId: z.string(), lacks: z.array(z.looseObject({ resource: z.string() })) })),
});

test('a site of six QEMU machines over two hosts comes back as planned: one chunk damaged, a host worker dead for 30 s, a priority changed', async t => {
	const scratch = await temporaryDirectory(t);
	const image = join(scratch, 'shop.raw');
	const { signal } = t;
	await buildGuest(image, { say: line => t.diagnostic(line), signal, diskMiB: 128, payloadMiB: 0 });
	const { control, there } = await twoHosts(t, 'qemu', { places, stored: storeOthers });
	const spec = join(scratch, 'machine.yaml');
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 256\nfirmware: bios\nos: linux\n');
	await control.answer('backup', 'import', image, '--machine', 'shop01', '--spec', spec);
	for (const { installation } of [control, there]) await writeCheck(installation);
	const middle = noise(diskBytes, seeds.bad01).subarray(diskBytes / 2, diskBytes / 2 + 64);
	const whole = await damagePack(control.repository, middle);

	const path = join(scratch, 'site.yaml');
	await writeFile(path, file);
	const startedAt = performance.now();
	const after = (what: string) => t.diagnostic(`${what} after ${Math.round((performance.now() - startedAt) / 1000)} s`);
	await control.answer('batch', 'start', path);
	const batch = async () => batchSchema.parse(await control.answer('batch', 'show', 'site'));
	const broker = async () => brokerSchema.parse(await control.answer('broker', 'show'));

	// Three of four places are taken; the fourth goes to one of the second group.
	const full = await waitFor(
		'two to wait for a place',
		async () => {
			const { waiting } = await broker();
			return waiting.length === 2 && waiting;
		},
		patience,
	);
	after('the first group was ready');
	const lacked = full.flatMap(({ lacks }) => lacks.map(({ resource }) => resource));
	assert.ok(lacked.length > 0 && lacked.every(one => /^host\/kvm[12]\/recoveries$/.test(one)), lacked.join());
	const last = full.at(-1)?.requestId ?? '';
	await control.answer('broker', 'prioritize', last, '--priority', '1', '--reason', 'the shop');
	assert.equal((await broker()).waiting[0]?.requestId, last);

	const shop = await control.show('shop');
	const hostOf = { kvm1: control, kvm2: there }[shop.host];
	assert.ok(hostOf, shop.host);
	const supervisor = SupervisorClient.of(hostOf.installation);
	const written = await verifyGuest(supervisor, 'shop', signal);

	// Its keeper first, which would start another at once.
	const { home } = there.installation;
	for (const name of ['keeper', 'host-worker'] as const) await endHolder(serviceFiles(home, name).lockPath);
	const diedAt = performance.now();
	for (const name of ['a1', 'bad', 'shop']) await control.answer('recover', 'migrate', name);
	await delay(deadMs - (performance.now() - diedAt), undefined, { signal });
	await there.answer('up', '--detach');
	after('the worker was back');

	await waitFor('the batch to be over', async () => (await batch()).phase === 'over', patience);
	const { parked } = await control.shown('bad', 'parked', shown => shown.parked !== null);
	assert.equal(parked?.code, 'chunk_bad');
	for (const name of names.filter(each => each !== 'bad'))
		await control.shown(name, 'finished', ({ phase }) => phase === 'finished', patience.timeoutMs);
	after('all but the damaged one were finished');
	assert.deepEqual(await verifiedBy(supervisor, 'shop'), [written, 0], 'what the guest wrote before the switch');
	await whole();
	await control.answer('recover', 'retry', 'bad');
	await control.shown('bad', 'finished', ({ phase }) => phase === 'finished', patience.timeoutMs);
	after('all were finished');

	const stays = await Promise.all(names.map(name => hostStayOf(control, name)));
	for (const stay of stays) t.diagnostic(JSON.stringify(stay));
	mustHaveKeptTo(places, stays);
	assert.deepEqual(new Set(stays.map(({ host }) => host)), new Set(['kvm1', 'kvm2']));
	const waited = full.map(({ requestId }) => requestId.split('/')[1] ?? '');
	const inTheirOrder = stays
		.filter(({ name }) => waited.includes(name))
		.toSorted((one, other) => one.fromMs - other.fromMs);
	assert.equal(inTheirOrder[0]?.name, last.split('/')[1], 'who was preferred goes first');

	const told = auditSchema.parse(await control.answer('audit', 'batch/site')).entries;
	const readyMs = (name: string) => Date.parse(told.find(({ text }) => text.startsWith(`${name} is ready`))?.at ?? '');
	const base = Math.max(...['shop', 'bad', 'a1'].map(readyMs));
	for (const { name, fromMs } of stays)
		assert.ok(readyMs(name) >= fromMs && (!/^a[234]$/.test(name) || fromMs >= base), `${name}: its group has its turn`);

	const disks: Record<string, keyof typeof seeds> = {
		bad: 'bad01',
		a1: 'app01',
		a2: 'app02',
		a3: 'app03',
		a4: 'app04',
	};
	for (const { name, host } of stays) {
		const client = SupervisorClient.of((host === 'kvm1' ? control : there).installation);
		await client.machinePower(name, 'off');
		const machine = disks[name];
		if (machine === undefined) continue;
		const [disk] = (await client.recovery(name)).disks;
		assert.ok((await readFile(disk?.path ?? '')).equals(noise(diskBytes, seeds[machine])), `${name} is as it was`);
	}
});

async function storeOthers(directory: string): Promise<void> {
	const repository = await openRepository(directory);
	try {
		for (const [machine, seed] of Object.entries(seeds))
			await importDisks(repository, [wholeSource(noise(diskBytes, seed))], { machine });
	} finally {
		await repository.store.close();
	}
}

/** By the guest itself, of the files that it has written: how many are right, and how many wrong. */
async function verifiedBy(supervisor: SupervisorClient, name: string): Promise<[right: number, wrong: number]> {
	const { platform } = await supervisor.recovery(name);
	const guest = await GuestConsole.open(platform['consoleSocket'] ?? '');
	try {
		const [, right, wrong] = await guest.command('verify', /^ok (\d+) bad (\d+)$/, { timeoutMs: 120_000 });
		return [Number(right), Number(wrong)];
	} finally {
		guest.close();
	}
}
