/** `rouse doctor` on a simulated host with real leftovers of every kind. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod';
import { listPins, pinPoint } from '../../repository/pins.ts';
import { openRepository } from '../../repository/repository.ts';
import { Grants } from '../../repository/service/grants.ts';
import { OwedUnpins } from '../../supervisor/files/owed-unpins.ts';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { places } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { kernelHasMacvtap } from '../../system/shareable-interfaces.ts';
import { removeTap, tapName } from '../../system/taps.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { rouse } from '../equipment/command-line.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const run = promisify(execFile);

const answerSchema = z.object({
	findings: z.array(
		z.object({
			code: z.string(),
			subject: z.string(),
			command: z.string(),
			fixable: z.boolean(),
			mended: z.boolean(),
			failure: z.unknown(),
		}),
	),
});

async function doctor(home: string, ...args: string[]) {
	const { stdout } = await rouse(home, ['doctor', '--json', ...args]);
	return answerSchema.parse(JSON.parse(stdout)).findings;
}

/** As if nobody had touched it for an hour. */
async function aged(path: string): Promise<string> {
	const then = new Date(Date.now() - 3_600_000);
	await utimes(path, then, then);
	return path;
}

/** As a process leaves it that was killed. */
async function socketOfNobody(directory: string, name: string): Promise<string> {
	await mkdir(directory, { recursive: true });
	const path = join(directory, name);
	const server = createServer();
	await listenOnSocket(server, `${path}-1`);
	await rename(`${path}-1`, path); // what is closed takes its own name away
	server.close();
	await aged(directory);
	return path;
}

/** A process under this lock, as movers and machines are; gives its pid. */
async function holding(t: TestContext, directory: string, name: string): Promise<number> {
	await mkdir(directory, { recursive: true });
	const lockPath = join(directory, `${name}.lock`);
	t.after(() => endHolder(lockPath));
	await spawnLocked({ lockPath, logPath: join(directory, `${name}.log`), command: 'sleep', args: ['600'] });
	const holder = await lockHolder(lockPath);
	assert.ok(holder);
	return holder.pid;
}

const lives = (pid: number) => existsSync(`/proc/${pid}/exe`);

/** Taps of a machine that is gone; only root can make any. */
async function leftTaps(t: TestContext): Promise<string[]> {
	if (process.getuid?.() !== 0) return [];
	const names = [tapName(randomUUID(), 0)];
	await run('ip', ['tuntap', 'add', 'dev', names[0] ?? '', 'mode', 'tap']);
	if (await kernelHasMacvtap()) {
		const shared = `rtd${randomUUID().slice(0, 8)}`;
		await run('ip', ['link', 'add', 'dev', shared, 'type', 'veth']);
		t.after(() => run('ip', ['link', 'delete', 'dev', shared]));
		names.push(tapName(randomUUID(), 0));
		await run('ip', ['link', 'add', 'link', shared, 'name', names[1] ?? '', 'type', 'macvtap']);
	}
	for (const name of names) {
		t.after(() => removeTap(name, '/gone/machine'));
		await run('ip', ['link', 'set', 'dev', name, 'alias', '/gone/machine']);
	}
	return names;
}

test('`doctor` names every leftover, `--fix` removes those that hold nothing, and the rest stays', async t => {
	const repository = join(await temporaryDirectory(t), 'repository');
	const stored = await storeDisk(repository, sampleDisk(1024 * 1024, 3));
	const host = await SupervisedHost.create(t);
	const { home, runDirectory } = host.installation;
	const away = join(home, 'no-repository');
	const served = '{directory: /srv/served, host: backup1, port: 7400, authority: a, certificate: c, key: k}';
	const known = `repositories: {main: ${repository}, away: ${away}}\nrepositoriesElsewhere: {served: ${served}}\n`;
	const config = `host: {kind: simulated}\n${known}`;
	await writeFile(join(home, 'config.yaml'), config);
	await host.start();
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run();
	const directoryOf = (name: string) => join(places.recoveries(home), name);
	const fileIn = async (directory: string, name: string) => {
		await mkdir(directory, { recursive: true, mode: 0o700 });
		const path = join(directory, name);
		await writeFile(path, 'x');
		await aged(path);
		await aged(directory);
		return path;
	};

	const emptyFile = await fileIn(directoryOf('empty'), 'state.json.ab.rouse-tmp');
	const write = await fileIn(directoryOf('lost'), 'disk0.overlay.qcow2');
	const deadSocket = await socketOfNobody(join(runDirectory, 'deadbeef'), 'mount.sock');
	const liveSocket = join(runDirectory, 'cafebabe', 'qmp.sock');
	await mkdir(join(runDirectory, 'cafebabe'));
	const server = createServer();
	t.after(() => server.close());
	await listenOnSocket(server, liveSocket);
	await aged(join(runDirectory, 'cafebabe'));
	for (const name of await readdir(runDirectory)) await aged(join(runDirectory, name)); // the supervisor's socket, too
	const temporary = await fileIn(places.services(home), 'ports.json.ab.rouse-tmp');
	const besideWrites = await fileIn(directoryOf(recovery.name), 'machine.json.ab.rouse-tmp');
	const mover = await holding(t, directoryOf('mover-of-nobody'), 'mount-mover');
	const machine = await holding(t, directoryOf('machine-of-nobody'), 'machine');
	for (const name of ['mover-of-nobody', 'machine-of-nobody']) await aged(directoryOf(name));
	const orphan = await holding(t, directoryOf('removed'), 'mount-mover');
	await rm(directoryOf('removed'), { recursive: true });

	const opened = await openRepository(repository);
	t.after(() => opened.store.close());
	const [ended, unknown, elsewhere] = [randomUUID(), randomUUID(), randomUUID()];
	const { machine: of, restorePoint, manifestDigest } = samplePlan(stored);
	const now = () => new Date(Date.now() - 3_600_000);
	for (const recoveryId of [ended, unknown, elsewhere, recovery.recoveryId])
		await pinPoint(opened, { recoveryId, machine: of, restorePoint, manifestDigest, reason: 'recovery x' }, { now });
	const grants = new Grants(home);
	const point = { machine: of, restorePoint, manifestDigest };
	await grants.give({ recoveryId: elsewhere, name: 'x', host: 'hv1', repository, ...point });
	await grants.end(elsewhere); // by an unpin that went no further
	await new Tombstones(home).write({
		version: 1,
		recoveryId: ended,
		name: 'x',
		repository: null,
		state: 'discarded',
		generation: 1,
		left: false,
		wasHere: true,
		at: new Date().toISOString(),
		afterReport: 0,
		incidents: [],
	});

	const owing = `${away}-too`;
	for (const debtor of [owing, '/srv/served'])
		await new OwedUnpins(home).add({ repository: debtor, recoveryId: randomUUID(), since: new Date().toISOString() });

	const safe = [
		...(await leftTaps(t)).map(tap => `tap_left ${tap}`),
		'directory_empty empty',
		`run_directory_left ${join(runDirectory, 'deadbeef')}`,
		`temporary_left ${temporary}`,
		`process_unowned pid ${mover}`,
		`process_orphaned pid ${orphan}`,
		`pin_left ${join(repository, 'pins', ended)}`,
		`pin_left ${join(repository, 'pins', elsewhere)}`,
	];
	const unsafe = [
		'directory_unowned lost',
		`run_directory_left ${join(runDirectory, 'cafebabe')}`,
		`temporary_left ${besideWrites}`,
		`process_unowned pid ${machine}`,
		`pin_unknown ${join(repository, 'pins', unknown)}`,
		`repository_away ${away}`,
		`repository_away ${owing}`,
	];
	const told = (all: Awaited<ReturnType<typeof doctor>>, fixable: boolean) =>
		all
			.filter(finding => finding.fixable === fixable)
			.map(({ code, subject }) => `${code} ${subject}`)
			.toSorted();

	const before = await doctor(home);
	assert.deepEqual([told(before, true), told(before, false)], [safe.toSorted(), unsafe.toSorted()]);
	assert.ok(before.every(({ mended, command }) => !mended && command !== ''));
	assert.ok(lives(mover) && existsSync(emptyFile), '`doctor` changes nothing');

	const fixed = await doctor(home, '--fix');
	assert.deepEqual(
		fixed
			.filter(({ mended }) => mended)
			.map(({ code, subject }) => `${code} ${subject}`)
			.toSorted(),
		safe.toSorted(),
		JSON.stringify(fixed),
	);
	for (const path of [write, liveSocket, besideWrites]) assert.ok(existsSync(path), path);
	for (const path of [emptyFile, deadSocket, temporary]) assert.ok(!existsSync(path), path);
	assert.deepEqual([lives(mover), lives(orphan), lives(machine)], [false, false, true]);
	assert.deepEqual(
		(await listPins(opened)).pins.map(({ recoveryId }) => recoveryId).toSorted(),
		[unknown, recovery.recoveryId].toSorted(),
	);
	assert.equal(await grants.read(elsewhere), undefined);
	assert.equal((await recovery.view()).power, 'on');

	await host.kill();
	const after = await doctor(home, '--fix');
	assert.deepEqual(told(after, true), []);
	assert.deepEqual(
		told(after, false).filter(line => !unsafe.includes(line)),
		['directory_unowned mover-of-nobody', `supervisor_down ${home}`], // the one holds the log of the mover that was ended
	);
});

test('`doctor` tells that the directory of sockets is not this user’s alone, and does not look into it', async t => {
	const { home, runDirectory } = (await SupervisedHost.create(t)).installation;
	await socketOfNobody(join(runDirectory, 'deadbeef'), 'mount.sock');
	await chmod(runDirectory, 0o755);
	const found = await doctor(home, '--fix');
	assert.deepEqual(
		found.map(({ code, subject, mended }) => ({ code, subject, mended })),
		[{ code: 'run_directory_refused', subject: runDirectory, mended: false }],
	);
	assert.match(found[0]?.command ?? '', /look who made it/);
	assert.ok(existsSync(join(runDirectory, 'deadbeef')));
});
