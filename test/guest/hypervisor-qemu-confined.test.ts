import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { chown, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { handedOver } from '../../hypervisors/conformance/handed-over.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { missingUsers } from '../../hypervisors/qemu/confinement.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { killIfOf, processesOf } from '../../system/processes-of-user.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';
import { makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';

async function bench(t: TestContext, options: QemuBenchOptions = {}): Promise<QemuBench> {
	const made = await makeQemuBench({ disks: 1, ...options });
	t.after(() => made.dispose());
	return made;
}

/** What the kernel knows of the QEMU that holds the machine's lock. */
async function processOf(made: QemuBench) {
	const holder = await lockHolder(machinePaths(made.definition).lock);
	assert.ok(holder, 'it does not run');
	const status = await readFile(`/proc/${holder.pid}/status`, 'utf8');
	const environment = await readFile(`/proc/${holder.pid}/environ`, 'utf8');
	const field = (name: string) => new RegExp(`^${name}:[ \t]*(.*)$`, 'm').exec(status)?.[1]?.split('\t') ?? [];
	return {
		root: `/proc/${holder.pid}/root`,
		users: new Set([...field('Uid'), ...field('Gid')].map(Number)),
		groups: field('Groups').join('').trim(),
		gainsNothing: field('NoNewPrivs').join() === '1',
		filtered: /^Seccomp:\t2$/m.test(status), // SECCOMP_MODE_FILTER: proc(5)
		environment: environment.split('\0').flatMap(entry => entry.split('=')[0] || []),
	};
}

const run = promisify(execFile);

/** `stdbuf` of the bench has an environment of its own: here QEMU is started as it is. */
const plain = { options: { systemBinary: 'qemu-system-x86_64' } };

suite('A QEMU that its guest has taken over', { concurrency: 2 }, () => {
	test('can start no program, and finds nothing of our environment', async t => {
		process.env['ROUSE_TEST_SECRET'] = 'secret';
		const made = await bench(t, plain);
		await startedGuest(made);
		const { filtered, environment } = await processOf(made);
		assert.equal(filtered, true);
		assert.deepEqual(environment.toSorted(), ['LC_ALL', 'PATH']);
	});

	test('is confined as well when the start script has started it', async t => {
		const made = await bench(t);
		await handedOver(made);
		const env = { ...process.env, ROUSE_TEST_SECRET: 'secret' };
		const child = spawn(machinePaths(made.definition).start, [], { stdio: 'inherit', env });
		const ended = once(child, 'exit');
		await waitFor('the machine', () => made.userGuest.runs(), { timeoutMs: 15_000 });
		const { filtered, environment } = await processOf(made);
		assert.equal(filtered, true);
		assert.ok(environment.includes('PATH') && !environment.includes('ROUSE_TEST_SECRET'), environment.join());
		await anew(made, machine => machine.powerOff());
		await ended;
	});

	test('without seccomp in QEMU the report warns, and machines are started and switched without', async t => {
		const systemBinary = join(await temporaryDirectory(t), 'qemu');
		const refuse = 'case "$*" in *-sandbox*) echo "qemu: -sandbox support is not enabled" >&2; exit 1;; esac';
		await writeFile(systemBinary, `#!/bin/sh\n${refuse}\nexec stdbuf -oL qemu-system-x86_64 "$@"\n`, { mode: 0o755 });
		const made = await bench(t, { options: { systemBinary } });
		assert.match((await made.platform.report()).warnings.join('\n'), /without its sandbox.*support is not enabled/);
		const guest = await startedGuest(made);
		assert.equal((await processOf(made)).filtered, false);
		await guest.write();
		await restoreTargets(made);
		await anew(made, machine => machine.switchToTarget(new SwitchRecord(made, guest)));
		await guest.checkInGuest();
		await anew(made, machine => machine.powerOff());
		await guest.checkContent();
	});
});

/** Nobody's but this run's: processes are told by it. */
const first = 1_900_000_000 + 10 * randomInt(1_000_000);
const noUsers = await missingUsers('qemu-system-x86_64', { first, count: 1 });

/** Where Rouse is not root, or may not change users, all runs as the user that Rouse is: then that is what is held. */
suite('A machine has a user of its own where Rouse is root', { concurrency: 2 }, () => {
	const ours = process.getuid?.() ?? 0;
	/** A range of a single one, so that it is known who is chosen. */
	const only = (uid: number) => ({ options: { machineUids: async () => ({ first: uid, count: 1 }) } });

	test('who owns its targets, runs its QEMU and gains nothing, also after the switch and by the start script', async t => {
		const expected = noUsers === undefined ? first : ours;
		const made = await bench(t, only(first));
		const guest = await startedGuest(made);
		const paths = machinePaths(made.definition);
		const [disk] = made.definition.disks;
		assert.ok(disk);
		assert.equal((await stat(paths.target(disk))).uid, expected);
		const holds = async () => {
			const { users, groups, gainsNothing } = await processOf(made);
			assert.equal(users.has(expected) && (noUsers !== undefined || users.size === 1), true, [...users].join());
			if (noUsers === undefined) assert.deepEqual({ groups, gainsNothing }, { groups: '', gainsNothing: true });
		};
		await holds();
		await guest.write();
		await restoreTargets(made);
		await anew(made, async machine => {
			await machine.switchToTarget(new SwitchRecord(made, guest));
			await machine.handOver();
		});
		await guest.checkInGuest();
		await anew(made, machine => machine.powerOff());
		const child = spawn('sh', ['-c', `exec ${paths.start} >>${paths.log}`], { stdio: 'inherit' });
		const ended = once(child, 'exit');
		await waitFor('the machine', () => made.userGuest.runs(), { timeoutMs: 15_000 });
		await holds();
		await guest.checkInGuest();
		await anew(made, machine => machine.powerOff());
		await ended;
		await guest.checkContent();
	});

	test('sees of what only root may enter nothing but its own directories', async t => {
		const made = await bench(t, only(first + 1));
		await startedGuest(made);
		const { root } = await processOf(made);
		const seen = (path: string) => stat(`${root}${path}`).then(Boolean, () => false);
		assert.equal(await seen(made.definition.directory), true);
		assert.equal(await seen(join(made.directory, 'base0.raw')), noUsers !== undefined);
	});

	test('whose directory of sockets is ours once it runs, and what is no socket is not connected to', async t => {
		const made = await bench(t, only(first + 2));
		await startedGuest(made);
		const { runDirectory } = made.definition;
		assert.equal((await stat(runDirectory)).uid, ours);
		const { console } = machinePaths(made.definition).sockets;
		await rm(console);
		await symlink('/run/somebody-elses.sock', console);
		await assert.rejects(
			anew(made, machine => machine.console('serial')),
			{ code: 'identity_conflict', message: /no socket/ },
		);
		if (noUsers === undefined) await chown(runDirectory, first + 2, first + 2);
		await anew(made, machine => machine.observe());
		assert.equal((await stat(runDirectory)).uid, ours);
	});

	test('of which nothing is left by a new start and by its end, also not what let go of its lock', async t => {
		if (noUsers !== undefined) return;
		const uid = first + 4;
		const letsGo = 'exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; exec sleep 600 </dev/null >/dev/null 2>&1';
		const prelude = `case "$*" in *-uuid*) (${letsGo}) & ;; esac`;
		t.after(async () => {
			for (const pid of await processesOf(uid)) killIfOf(uid, pid);
		});
		const made = await bench(t, { ...only(uid), prelude });
		const guest = await startedGuest(made);
		const before = await processesOf(uid);
		assert.equal(before.length, 2);
		await made.fate.kill();
		assert.equal((await processesOf(uid)).length, 1);
		await anew(made, machine => machine.powerOn('mover'));
		const after = await processesOf(uid);
		assert.equal(after.length, 2);
		assert.deepEqual(new Set([...before, ...after]).size, 4);
		await anew(made, machine => machine.powerOff());
		assert.deepEqual(await processesOf(uid), []);
		// Before the machine is handed over as one that is off.
		await anew(made, machine => machine.powerOn('mover'));
		await restoreTargets(made);
		await anew(made, machine => machine.switchToTarget(new SwitchRecord(made, guest)));
		await made.fate.kill();
		await anew(made, machine => machine.handOver());
		assert.deepEqual(await processesOf(uid), []);
	});

	test('its start script starts nothing beside a process of that user, and ends none', async t => {
		if (noUsers !== undefined) return;
		const uid = first + 5;
		const made = await bench(t, only(uid));
		await handedOver(made);
		const other = captive(t, 'setpriv', ['--reuid', String(uid), '--clear-groups', 'sleep', '600']);
		await waitFor('it', async () => (await processesOf(uid)).length === 1, { timeoutMs: 10_000 });
		await assert.rejects(run(machinePaths(made.definition).start), {
			code: 75,
			stderr: new RegExp(`user ${uid}.*run already: ${other.child.pid}`),
		});
		assert.deepEqual(await processesOf(uid), [other.child.pid]);
	});

	test('its switch while it is off is done as that user', async t => {
		const made = await bench(t, only(first + 3));
		const guest = await startedGuest(made);
		await guest.write();
		await restoreTargets(made);
		await anew(made, machine => machine.powerOff());
		const [disk] = made.definition.disks;
		assert.ok(disk);
		// A file that the overlay names and only root can read: what a guest that has taken QEMU over would have it be.
		const secret = join(made.directory, 'secret');
		await writeFile(secret, Buffer.alloc(1024 * 1024, 's'), { mode: 0o600 });
		const overlay = machinePaths(made.definition).overlay(disk);
		const before = await readFile(overlay);
		await run('qemu-img', [
			'create',
			'-q',
			'-f',
			'qcow2',
			'-o',
			`data_file=${secret},data_file_raw=on`,
			`${overlay}.evil`,
			'1M',
		]);
		await writeFile(secret, Buffer.alloc(1024 * 1024, 's'));
		await writeFile(overlay, await readFile(`${overlay}.evil`));
		const switched = () => anew(made, machine => machine.switchToTarget(new SwitchRecord(made, guest)));
		if (noUsers === undefined) await assert.rejects(switched(), { code: 'io_failed', message: /secret/ });
		await writeFile(overlay, before);
		await switched();
		await guest.checkContent();
	});
});
