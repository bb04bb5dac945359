import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { RepositoryChildren } from '../../repository/access/children.ts';
import type { ChildOptions } from '../../repository/access/child.ts';
import { listPins } from '../../repository/pins.ts';
import { openRepository } from '../../repository/repository.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { storedMachine } from '../equipment/stored-machine.ts';

const recoveryId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';

async function repositoryFor(t: TestContext) {
	const { repository, machine, restorePoint, manifestDigest } = await storedMachine(await temporaryDirectory(t));
	return { repository, machine, restorePoint, pin: { recoveryId, machine, restorePoint, manifestDigest, reason: '' } };
}

function childrenFor(t: TestContext, options: Partial<ChildOptions> = {}): RepositoryChildren {
	const children = new RepositoryChildren({ deadlineMs: 20_000, ...options });
	t.after(() => children.close());
	return children;
}

async function pinsOf(directory: string): Promise<string[]> {
	const repository = await openRepository(directory);
	try {
		return (await listPins(repository)).pins.map(pin => pin.recoveryId);
	} finally {
		await repository.store.close();
	}
}

/** Its child, which was asked before, and hangs from now on. */
async function hangingChild(children: RepositoryChildren, repository: string): Promise<number> {
	const before = await ownChildren();
	await children.unpin(repository, randomUUID());
	const [pid] = (await ownChildren()).filter(one => !before.includes(one));
	assert.ok(pid !== undefined);
	process.kill(pid, 'SIGSTOP');
	return pid;
}

/** Processes of this one that run the access program. */
async function ownChildren(): Promise<number[]> {
	const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)]);
	const lines = stdout.split('\n').filter(line => line.includes('repository/access'));
	return lines.map(line => Number.parseInt(line, 10));
}

const within = { timeoutMs: 20_000 };

test('`RepositoryChildren` reads a point, pins it and takes the pin away, as this process would', async t => {
	const { repository, machine, restorePoint, pin } = await repositoryFor(t);
	const children = childrenFor(t);
	const point = await children.readPoint(repository, machine, restorePoint);
	assert.equal(point.manifestDigest, pin.manifestDigest);
	await children.pin(repository, pin);
	assert.deepEqual(await pinsOf(repository), [recoveryId]);
	await children.unpin(repository, recoveryId);
	assert.deepEqual(await pinsOf(repository), []);
});

test('what a repository refuses comes through `RepositoryChildren` by its code', async t => {
	const { repository, machine, pin } = await repositoryFor(t);
	const children = childrenFor(t);
	await assert.rejects(children.readPoint(repository, machine, '2020-01-01T00:00:00.000Z'), { code: 'point_unknown' });
	await assert.rejects(children.pin(`${repository}-away`, pin), { code: 'repository_missing', exitCode: 10 });
	await writeFile(join(repository, 'pins'), 'no folder can be made here');
	await assert.rejects(children.pin(repository, pin), { code: 'io_failed' });
});

test('a repository that hangs is given up, and holds up no other', async t => {
	const [hanging, other] = [await repositoryFor(t), await repositoryFor(t)];
	const children = childrenFor(t, { deadlineMs: 8_000 });
	await hangingChild(children, hanging.repository);
	const call = children.pin(hanging.repository, hanging.pin);
	const given = assert.rejects(call, { code: 'store_unreachable', message: /no answer within 8000 ms/ });
	await children.pin(other.repository, other.pin);
	assert.deepEqual(await pinsOf(other.repository), [recoveryId]);
	await given;
	const again = () =>
		children.pin(hanging.repository, hanging.pin).then(
			() => true,
			() => false,
		);
	await waitFor('another child', again, within);
	assert.deepEqual(await pinsOf(hanging.repository), [recoveryId]);
});

test('a child that cannot be killed stays the only one of its repository', async t => {
	const { repository, pin } = await repositoryFor(t);
	const killed: number[] = [];
	const children = childrenFor(t, { deadlineMs: 8_000, kill: pid => killed.push(pid) });
	const pid = await hangingChild(children, repository);
	t.after(async () => {
		if ((await ownChildren()).includes(pid)) process.kill(pid, 'SIGKILL');
	});
	await assert.rejects(children.pin(repository, pin), { code: 'store_unreachable' });
	assert.deepEqual(killed, [pid]);
	const refused = { code: 'store_unreachable', message: new RegExp(`process ${pid} .*hangs in the kernel`) };
	await assert.rejects(children.unpin(repository, recoveryId), refused);
	assert.deepEqual(await ownChildren(), [pid]);
	process.kill(pid, 'SIGCONT');
	await waitFor('the end of the child', async () => !(await ownChildren()).includes(pid), within);
});

test('`prepare` has a child ready, which is the one that is asked first, and another one after it has ended', async t => {
	const { repository, pin } = await repositoryFor(t);
	const children = childrenFor(t, { idleMs: 1 });
	children.prepare();
	const ready = await waitFor('a child', async () => (await ownChildren()).at(0), within);
	await children.pin(repository, pin);
	await waitFor('the next one', async () => (await ownChildren()).some(pid => pid !== ready), within);
	await waitFor('the end of the first', async () => !(await ownChildren()).includes(ready), within);
	assert.equal((await ownChildren()).length, 1);
	await children.close();
	assert.deepEqual(await ownChildren(), []);
});

test('a child ends when it has nothing to do for a while, and another one is asked then', async t => {
	const { repository, pin } = await repositoryFor(t);
	const children = childrenFor(t, { idleMs: 1 });
	await children.pin(repository, pin);
	await waitFor('no child', async () => (await ownChildren()).length === 0, within);
	await rm(repository, { recursive: true });
	await assert.rejects(children.unpin(repository, recoveryId), { code: 'repository_missing' });
});
