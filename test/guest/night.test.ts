/**
 * A real guest writes while whatever can befall a recovery does so, at random. One recovery of a minute; for a long night:
 * `ROUSE_TEST_NIGHT_MINUTES=30 ./rouse test guest test/guest/night.test.ts`, `ROUSE_TEST_NIGHT_SEED` for another one.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as z from 'zod';
import { buildGuest, demoGuest, demoMachine, importBackup } from '../../cli/demo/backups.ts';
import { checkDisk, dump } from '../../cli/demo/disk-check.ts';
import { findLeftovers } from '../../cli/demo/leftovers.ts';
import { OwnCommand } from '../../cli/demo/own-command.ts';
import { openInstallation } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Night, type NightParts, shownSchema } from '../equipment/night/night.ts';
import { NightGuest } from '../equipment/night/night-guest.ts';
import { Random } from '../equipment/seeds/random.ts';

const anything = z.looseObject({});
const minutes = Number(process.env['ROUSE_TEST_NIGHT_MINUTES'] ?? 0);
const troubledMs = 40_000;

test('a guest loses no file that it was told is safe, whatever befalls its recovery, and nothing is left', async t => {
	const seed = Number(process.env['ROUSE_TEST_NIGHT_SEED'] ?? 1);
	const { parts, payload } = await openNight(t, new Random(seed));
	const { rouse, installation } = parts;
	try {
		await rouse.run(anything, 'up', '--detach');
		const until = performance.now() + minutes * 60_000;
		let round = 0;
		do {
			round += 1;
			t.diagnostic(`recovery ${round}: ${await liveThrough(parts, payload, `night-${round}`)}`);
		} while (performance.now() < until);
	} finally {
		const env = { ...process.env, ROUSE_HOME: installation.home };
		await new OwnCommand(env, AbortSignal.timeout(60_000)).run(anything, 'down');
	}
});

async function liveThrough(parts: NightParts, payload: string, name: string): Promise<string> {
	const { rouse, signal, installation } = parts;
	const start = `recover start ${demoMachine}@latest --name ${name} --switch manual --allocate thin`;
	const { recoveryId, consoleSocket } = await rouse.run(shownSchema, ...start.split(' '));
	await rouse.run(anything, 'recover', 'policy', name, '--max-rate', String(8 * 1024 * 1024));
	await rouse.run(anything, 'recover', 'migrate', name);
	const night = new Night(parts, name, recoveryId);
	const guest = new NightGuest(consoleSocket);
	try {
		const calm = new AbortController();
		const writing = writeUntil(guest, calm.signal, signal);
		for (const end = performance.now() + troubledMs; performance.now() < end; ) await night.trouble();
		const finished = await night.morning();
		calm.abort();
		await writing;
		if (finished.power !== 'on') await rouse.run(anything, 'host', 'start', name);
		const { right, wrong } = await guest.verify(signal);
		assert.equal(wrong, 0, `${wrong} of the guest's files are damaged`);
		await guest.powerOff(signal);
		const off = async () => (await rouse.run(shownSchema, 'recover', 'show', name)).power === 'off';
		await waitFor('the machine to be off', off, { timeoutMs: 60_000, everyMs: 200, signal });
		const scratch = join(installation.home, '..', 'scratch');
		const against = { payload, knownFiles: guest.files, atLeast: guest.files.size, scratch };
		await checkDisk(finished.disks[0]?.path ?? '', against);
		await rouse.run(anything, 'host', 'remove', name, '--confirm', name);
		assert.deepEqual(await findLeftovers(installation, name, recoveryId), { processes: [], sockets: [], files: [] });
		return `${guest.files.size} files were told to be safe, ${right} are there`;
	} finally {
		guest.close();
	}
}

async function writeUntil(guest: NightGuest, end: AbortSignal, signal: AbortSignal): Promise<void> {
	while (!end.aborted) await guest.write(signal);
}

async function openNight(t: TestContext, random: Random): Promise<{ parts: NightParts; payload: string }> {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const repository = join(directory, 'repository');
	const { signal } = t;
	const rouse = new OwnCommand({ ...process.env, ROUSE_HOME: home, ROUSE_REPO: repository }, signal);
	const image = join(directory, 'original.raw');
	const spec = join(directory, 'machine.yaml');
	await buildGuest(image, { say: () => undefined, signal, ...demoGuest });
	await dump(image, ['/payload'], join(directory, 'original'));
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 256\nfirmware: bios\nos: linux\n');
	await rouse.run(anything, 'repo', 'init', repository);
	await importBackup(rouse, image, spec);
	const installation = await openInstallation(home);
	const startedAt = performance.now();
	const say = (line: string) => t.diagnostic(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s: ${line}`);
	return {
		parts: { rouse, installation, repository, random, signal, say },
		payload: join(directory, 'original', 'payload'),
	};
}
