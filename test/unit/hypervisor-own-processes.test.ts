import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { endProcessesOf, ReservedUser } from '../../hypervisors/qemu/own-processes.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { processesOf, usersIn } from '../../system/processes-of-user.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const isRoot = process.getuid?.() === 0;

/** Nobody's but this test's, also when it runs twice at once. */
function newUser(): ReservedUser {
	const uid = 1_960_000_000 + randomInt(10_000_000);
	const user = ReservedUser.within({ first: uid, count: 1 }, uid);
	assert.ok(user);
	return user;
}

function as({ uid }: ReservedUser, t: TestContext, program: readonly string[]): ChildProcess {
	const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
	const [command = '', ...args] = program;
	const child = spawn('setpriv', [...user, '--', command, ...args], { stdio: 'ignore', cwd: '/' });
	t.after(() => {
		spawnSync('setpriv', [...user, '--', 'sh', '-c', 'kill -s KILL -- -1']);
	});
	return child;
}

const runs = (user: ReservedUser) =>
	waitFor('it to run', async () => (await processesOf(user.uid)).length > 0, { timeoutMs: 10_000 });

suite('`endProcessesOf` a machine’s own user', () => {
	if (!isRoot) return; // there are none where Rouse is not root

	/** What a QEMU that was taken over may do about its end; the last two where it has no seccomp filters. */
	const programs = {
		'that holds no lock': 'exec sleep 600',
		'that is stopped': 'kill -s STOP $$; sleep 600',
		'that ends whoever is of its user': 'while :; do kill -s KILL -- -1 2>/dev/null || :; done',
		'that is another one at each look, four times':
			'[ "${1-}" ] || for n in 1 2 3; do sh "$0" $n & done; sh "$0" 4 & exit 0',
	};
	for (const [what, program] of Object.entries(programs))
		test(`ends one ${what}`, async t => {
			const directory = await temporaryDirectory(t);
			await chmod(directory, 0o711);
			const script = join(directory, 'program');
			await writeFile(script, program);
			await chmod(script, 0o755);
			const user = newUser();
			const first = as(user, t, ['sh', script]);
			// One that is another one all the time may be missed by every look; its first has ended once the others run.
			await Promise.race([runs(user), once(first, 'exit')]);
			await endProcessesOf(user, join(directory, 'machine.lock'), { timeoutMs: 20_000 });
			// For the same reason a single look would prove nothing.
			for (let looks = 0; looks < 50; looks++) assert.deepEqual(await processesOf(user.uid), []);
		});

	for (const mode of [0o600, 0o666])
		test(`ends one that holds a file of mode ${mode.toString(8)} of its own that is named like another machine’s lock`, async t => {
			const directory = await temporaryDirectory(t);
			await chmod(directory, 0o711);
			const user = newUser();
			const posed = join(directory, 'machine.lock');
			await writeFile(posed, '');
			await chmod(posed, mode);
			if (mode === 0o600) await chown(posed, user.uid, user.uid); // else Rouse's own, which anybody could open
			as(user, t, ['sh', '-c', 'exec sleep 600 <"$0"', posed]);
			await runs(user);
			await waitFor(
				'it to hold the file',
				async () => {
					const [pid] = await processesOf(user.uid);
					return (await readlink(`/proc/${pid}/fd/0`)) === posed;
				},
				{ timeoutMs: 10_000 },
			);
			await endProcessesOf(user, join(directory, 'own', 'machine.lock'));
			assert.deepEqual(await processesOf(user.uid), []);
		});

	test('spares the machine of a copied installation, and leaves everybody else alone', async t => {
		const directory = await temporaryDirectory(t);
		const [user, neighbour] = [newUser(), newUser()];
		const lock = join(directory, 'copy', 'machine.lock');
		const others = join(directory, 'machine.lock');
		await writeFile(others, '', { mode: 0o600 });
		const { uid } = user;
		const copy = spawn('flock', ['-F', others, 'setpriv', '--reuid', String(uid), '--clear-groups', 'sleep', '600']);
		t.after(() => copy.kill('SIGKILL'));
		await waitFor('its lock', () => lockHolder(others), { timeoutMs: 10_000 });
		as(neighbour, t, ['sleep', '600']);
		await runs(neighbour);
		const own = as(user, t, ['sleep', '600']);
		await waitFor('both', async () => (await processesOf(uid)).length === 2, { timeoutMs: 10_000 });
		await endProcessesOf(user, lock);
		assert.deepEqual(await processesOf(uid), [copy.pid]);
		assert.notEqual(own.pid, copy.pid);
		assert.equal((await processesOf(neighbour.uid)).length, 1);
		// By its own installation it is ended.
		await endProcessesOf(user, others);
		assert.deepEqual(await processesOf(uid), []);
	});
});

test('`ReservedUser` is neither root nor anybody outside of the range', () => {
	const range = { first: 1000, count: 2 };
	const reserved = (uid: number) => ReservedUser.within(range, uid)?.uid;
	assert.deepEqual(
		[0, 999, 1000, 1001, 1002].map(reserved),
		isRoot ? [undefined, undefined, 1000, 1001, undefined] : Array.from({ length: 5 }),
	);
	assert.equal(ReservedUser.within('none', 1000), undefined);
});

test('`usersIn` tells all users of a process, and none of one that has ended', () => {
	const status = (state: string, threads: number) =>
		`Name:\tqemu\nState:\t${state}\nUid:\t1\t2\t3\t4\nGid:\t9\t9\t9\t9\nThreads:\t${threads}\n`;
	assert.deepEqual([...usersIn(status('S (sleeping)', 3))], [1, 2, 3, 4]);
	assert.deepEqual([...usersIn(status('Z (zombie)', 1))], []);
	assert.deepEqual([...usersIn(status('Z (zombie)', 2))], [1, 2, 3, 4]); // its first thread has ended, not the others
});
