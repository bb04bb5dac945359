/** An installation that a real systemd keeps: whatever is done to its service, machines and movers go on. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { runningServices, serviceHolder } from '../../keeper/services.ts';
import { places } from '../../system/installation.ts';
import { heldRecoveryLocks } from '../../system/recovery-locks.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { SystemdMachine } from '../equipment/systemd-machine.ts';

const installedSchema = z.looseObject({ unit: z.string(), path: z.string() });
const shownSchema = z.looseObject({ phase: z.string(), power: z.string().nullable(), parked: z.unknown() });
const patience = { timeoutMs: 90_000, everyMs: 200 };

/** The unit of systemd in whose group a process is, outside seen as inside. */
async function unitOf(pid: number): Promise<string> {
	const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''); // it ended meanwhile
	return basename(/^0::(.*)$/m.exec(groups)?.[1] ?? '');
}

test('`service install`: systemd keeps the services; its restart, and SIGKILL for all of them, reach no machine and no mover', async t => {
	const directory = await temporaryDirectory(t);
	const [home, repository] = [join(directory, 'home'), join(directory, 'repository')];
	const machine = await SystemdMachine.booted(t, directory);
	await machine.rouse(home, 'repo', 'init', repository, '--name', 'main');
	await writeFile(join(home, 'config.yaml'), `repositories: {main: ${repository}}\ndefaultRepository: main\n`);
	await storePoints(repository);
	// By hand first: the services of a person's session are taken over.
	await machine.rouse(home, 'up', '--detach');
	const byHand = await serviceHolder(home, 'keeper');
	const { unit } = installedSchema.parse(await machine.rouse(home, 'service', 'install'));
	const keeper = async () => (await serviceHolder(home, 'keeper'))?.pid ?? 0;
	assert.notEqual(await keeper(), byHand?.pid);
	assert.equal(await unitOf(await keeper()), unit);
	const again = await keeper();
	await machine.rouse(home, 'service', 'install');
	assert.equal(await keeper(), again, 'a second time changes nothing');
	assert.equal(await machine.run('systemctl', 'is-enabled', unit), 'enabled');

	await machine.rouse(home, 'recover', 'start', 'web01@latest', '--name', 'web', '--finish', 'manual');
	const shown = async () => shownSchema.parse(await machine.rouse(home, 'recover', 'show', 'web'));
	const runs = async () => {
		const { phase, power, parked } = await shown();
		return phase === 'running' && power === 'on' && parked === null;
	};
	await waitFor('the machine to run', runs, patience);
	const apart = async () =>
		(await heldRecoveryLocks(places.recoveries(home))).map(({ of, path, pid }) => ({ of, path, pid }));
	const before = await apart();
	assert.deepEqual(before.map(({ path }) => basename(path, '.lock')).toSorted(), [
		'machine',
		'migration-mover',
		'mount-mover',
	]);
	for (const { path, pid } of before)
		assert.match(await unitOf(pid), new RegExp(`^rouse-web-${basename(path, '.lock')}-[0-9a-f]{8}\\.scope$`));
	const goesOn = async (what: string) => {
		await waitFor(`a keeper after ${what}`, async () => (await unitOf(await keeper())) === unit, patience);
		await machine.rouse(home, 'up', '--detach'); // waits until all answer
		assert.deepEqual(await apart(), before, what);
		await waitFor('the machine to be seen to run', runs, patience);
	};

	const active = () => machine.run('systemctl', 'is-active', unit).catch(() => 'inactive');
	const ran = await runningServices(home);
	await machine.run('systemctl', 'restart', unit);
	await goesOn('a restart');
	assert.ok(
		(await runningServices(home)).every(({ pid }) => !ran.some(old => old.pid === pid)),
		'all are new',
	);

	const kept = await keeper();
	await machine.run('systemctl', 'kill', '--kill-who=main', '--signal=KILL', unit);
	await waitFor(
		'its main process to be back',
		async () => (await restarts()) > 0 && (await active()) === 'active',
		patience,
	);
	await goesOn('the main process killed');
	assert.equal(await keeper(), kept, 'the services have not noticed');

	await machine.run('systemctl', 'kill', '--kill-who=all', '--signal=KILL', unit);
	await waitFor('a new keeper', async () => ![0, kept].includes(await keeper()), patience);
	await goesOn('all of the service killed');

	await machine.rouse(home, 'down');
	await waitFor('systemd to see that it is down', async () => (await active()) === 'inactive', patience);
	assert.deepEqual(await runningServices(home), []);
	await machine.run('systemctl', 'start', unit);
	await waitFor('a keeper', async () => (await keeper()) > 0, patience);
	await goesOn('down and up');

	await machine.rouse(home, 'service', 'remove');
	assert.deepEqual(await runningServices(home), []);
	assert.equal(await machine.run('sh', '-c', `systemctl cat ${unit} 2>&1 || :`), `No files found for ${unit}.`);
	assert.deepEqual(await apart(), before, 'removed');
	await machine.rouse(home, 'service', 'remove');

	async function restarts(): Promise<number> {
		return Number(await machine.run('systemctl', 'show', '--property=NRestarts', '--value', unit));
	}
});
