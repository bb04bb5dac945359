/**
 * A host in a network namespace of its own is killed with everything on it, and comes back: of a batch over a pool, what never
 * ran there is placed anew, what ran waits for it, and no recovery has two machines.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { directAccess } from '../../repository/access/direct.ts';
import { openRepository } from '../../repository/repository.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { places as placesOf } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { CabledHost } from '../equipment/cabled-host.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import type { EmbeddedInstallation, Shown } from '../equipment/embedded-installation.ts';
import { MachineWatch } from '../equipment/machine-watch.ts';
import { importDisks, noise, wholeSource } from '../equipment/repositories.ts';
import { auditSchema, hostStayOf, mustHaveKeptTo } from '../equipment/two-hosts.ts';

const MiB = 2 ** 20;
const places = 2;
const diskBytes = 8 * MiB;
const patience = { timeoutMs: 300_000, everyMs: 250 };
const seeds: Readonly<Record<string, number>> = { a1: 21, a2: 22, b1: 23, b2: 24 };
const names = Object.keys(seeds);
/** The second group begins when the test says so: every host is asked whether a file is there. */
const file = (path: string) => `
name: site
defaults: { hosts: [kvm1, kvm2], finish: migrate, maxRate: 256KiB }
groups:
  - name: first
    ready: { command: is-there, args: [${path}], within: 10m }
    machines: [{ machine: a1, name: a1 }, { machine: a2, name: a2 }]
  - name: second
    after: [first]
    machines: [{ machine: b1, name: b1 }, { machine: b2, name: b2 }]
`;

test('what never ran on a host that is killed whole is placed anew, what ran goes on when it is back, and nothing else is left there', async t => {
	const host = await CabledHost.joined(t, 'qemu', { places });
	const { control } = host;
	await storeAll(control.repository);
	for (const { home } of [control.installation, host.installation]) await writeCheck(home);
	const scratch = await temporaryDirectory(t);
	const [site, begins] = [join(scratch, 'site.yaml'), join(scratch, 'begins')];
	await writeFile(site, file(begins));
	const startedAt = performance.now();
	const after = (what: string) => t.diagnostic(`${what} after ${Math.round((performance.now() - startedAt) / 1000)} s`);
	const watch = new MachineWatch(t);
	const there = SupervisorClient.of(host.installation);

	await control.answer('batch', 'start', site);
	await waitFor('the first group to be started', async () => (await begun(control)).length === 2, patience);
	const first = await Promise.all(
		['a1', 'a2'].map(name => control.shown(name, 'migrating', ({ phase }) => phase === 'migrating')),
	);
	const ran = nameOn(first, 'kvm2');
	after('the first group ran');

	// Where its repository does not answer, a recovery has disks and a machine, and waits before it is powered on.
	const letGo = await host.holdRepository();
	await writeFile(begins, '');
	await waitFor('the second group to be started', async () => (await begun(control)).length === 4, patience);
	const never = await host.standing();
	after(`${never} stood before its power-on`);
	await host.killWhole();
	letGo();

	const anew = await control.shown(
		never,
		'on the other host',
		({ phase, host: where }) => where === 'kvm1' && phase === 'finished',
		patience.timeoutMs,
	);
	after(`${never} was placed anew and finished`);
	const waits = await control.show(ran);
	assert.deepEqual([waits.phase, waits.parked, waits.host], ['migrating', null, 'kvm2']);

	const powers = watchPowers(t, there, never);
	await host.up();
	after('the host was back');
	await control.shown(ran, 'finished', ({ phase }) => phase === 'finished', patience.timeoutMs);
	for (const name of names) await control.shown(name, 'finished', ({ phase }) => phase === 'finished');
	after('all were finished');

	const views = await waitFor(
		'nothing else to be left there',
		async () => {
			const active = (await there.recoveries()).filter(({ state }) => state !== 'discarded');
			return active.every(({ name }) => name === ran) && active;
		},
		patience,
	);
	assert.deepEqual(
		views.map(({ name, state }) => [name, state]),
		[[ran, 'finished']],
	);
	assert.deepEqual(await readdir(placesOf.recoveries(host.installation.home)), [ran], 'no directory, so no disk');
	const { home } = host.installation;
	for (const place of ['owed-unpins', 'first-reads'])
		assert.deepEqual(await readdir(join(home, 'host', place)).catch(() => []), [], place);
	const pins = async () => (await directAccess.listPins(control.repository)).pins.length;
	await waitFor('no pin to be left', async () => (await pins()) === 0, patience);
	after('nothing of it was left there');
	await waitFor('no lease to be left', async () => (await leases(control)).length === 0, patience);
	after('no lease was left');
	assert.deepEqual(await findings(await control.answer('doctor')), []);
	assert.deepEqual(await findings(JSON.parse(await host.inside('doctor', '--json'))), []);

	assert.ok(
		(await powers.stop()).every(power => power === 'off'),
		'it had no power there',
	);
	await watch.stop();
	const shown = await Promise.all(names.map(name => control.show(name)));
	for (const { name, recoveryId } of shown) assert.equal(watch.most.get(recoveryId), 1, `${name}: machines at once`);
	for (const name of names) {
		const { entries } = auditSchema.parse(await control.answer('audit', name));
		const on = entries.filter(({ kind, step }) => kind === 'step' && step === 'powerOn');
		assert.equal(on.length, 1, `${name} was powered on once`);
	}
	const { entries: told } = auditSchema.parse(await control.answer('audit', never));
	assert.deepEqual(
		told.filter(({ kind }) => kind === 'left').map(({ text }) => text),
		['kvm2 does not answer and is left: it is owed an undo', 'kvm2 has nothing of it any more'],
	);
	assert.equal(anew.recoveryId, shown.find(({ name }) => name === never)?.recoveryId);
	mustHaveKeptTo(places, await Promise.all(names.map(name => hostStayOf(control, name))));
	for (const { name, host: where } of shown) {
		const supervisor = where === 'kvm2' ? there : SupervisorClient.of(control.installation);
		await supervisor.machinePower(name, 'off');
		const [disk] = (await supervisor.recovery(name)).disks;
		assert.ok((await readFile(disk?.path ?? '')).equals(noise(diskBytes, seeds[name] ?? 0)), `${name} is as it was`);
	}
});

function nameOn(shown: readonly Shown[], host: string): string {
	const [only, ...more] = shown.filter(each => each.host === host);
	assert.ok(only && more.length === 0, `one of the first group on ${host}`);
	return only.name;
}

/** What this host says of a machine's power, as long as it has it. */
function watchPowers(t: TestContext, supervisor: SupervisorClient, name: string): { stop: () => Promise<string[]> } {
	const seen = new Set<string>();
	const end = new AbortController();
	const look = async () => {
		while (!end.signal.aborted) {
			const view = await supervisor.recovery(name).catch(() => undefined);
			if (view && view.state !== 'discarded') seen.add(view.power);
			await delay(100);
		}
	};
	const looking = look();
	const stop = async () => {
		end.abort();
		await looking;
		return [...seen];
	};
	t.after(stop);
	return { stop };
}

async function begun(control: EmbeddedInstallation): Promise<string[]> {
	const schema = z.looseObject({ items: z.array(z.looseObject({ name: z.string(), state: z.string() })) });
	const { items } = schema.parse(await control.answer('batch', 'show', 'site'));
	return items.filter(({ state }) => state !== 'waiting').map(({ name }) => name);
}

async function leases(control: EmbeddedInstallation): Promise<string[]> {
	const schema = z.looseObject({ leases: z.array(z.looseObject({ requestId: z.string() })) });
	return schema.parse(await control.answer('broker', 'show')).leases.map(({ requestId }) => requestId);
}

async function findings(answer: unknown): Promise<string[]> {
	const schema = z.looseObject({ findings: z.array(z.looseObject({ code: z.string(), explanation: z.string() })) });
	return schema.parse(answer).findings.map(({ code, explanation }) => `${code}: ${explanation}`);
}

async function writeCheck(home: string): Promise<void> {
	const directory = placesOf.checks(home);
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const path = join(directory, 'is-there');
	await writeFile(path, '#!/bin/sh\nexec test -e "$1"\n');
	await chmod(path, 0o700);
}

async function storeAll(directory: string): Promise<void> {
	const repository = await openRepository(directory);
	try {
		for (const [machine, seed] of Object.entries(seeds))
			await importDisks(repository, [wholeSource(noise(diskBytes, seed))], { machine });
	} finally {
		await repository.store.close();
	}
}
