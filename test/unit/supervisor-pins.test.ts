import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RepositoryAccess } from '../../repository/access/calls.ts';
import { directAccess } from '../../repository/access/direct.ts';
import { OwedUnpins } from '../../supervisor/files/owed-unpins.ts';
import { places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { type Simulation, simulate } from '../equipment/simulated-recovery.ts';

const within = { timeoutMs: 30_000 };
const why = { code: 'space_short', reason: 'no space is left' } as const;

async function pinsOf({ stored }: Simulation): Promise<string[]> {
	return (await directAccess.listPins(stored.directory)).pins.map(pin => pin.recoveryId);
}

async function pinFor({ stored, plan }: Simulation, recoveryId: string): Promise<void> {
	const { machine, restorePoint, manifestDigest } = plan;
	await directAccess.pin(stored.directory, { recoveryId, machine, restorePoint, manifestDigest, reason: '' });
}

const never = () => new Promise<never>(() => undefined);
/** Of a repository that hangs; no deadline saves whoever waits. */
const hanging: RepositoryAccess = { readPoint: never, listPins: never, pin: never, unpin: never };

test('`unpinned` is durable, an incident, in the view and survives the supervisor', async t => {
	const here = await simulate(t, { parts: { repositories: hanging } });
	await here.recovery.step('reserve', { limit: 8 });
	await here.recovery.step('unpinned', why);
	await here.recovery.step('unpinned', why, { again: true });
	const { unpinned } = await here.state();
	assert.deepEqual({ ...unpinned, since: '' }, { ...why, since: '' });
	assert.equal((await here.incident('unpinned')).count, 1);
	await here.stop();
	await here.start({ repositories: hanging });
	assert.deepEqual((await here.recovery.view()).unpinned, unpinned);
});

test('the host sets the pin of an unpinned recovery when the repository can be written, and says so', async t => {
	let refused = 0;
	const pin: RepositoryAccess['pin'] = async (...call) => {
		refused += 1;
		await directAccess.pin(...call);
	};
	const here = await simulate(t, { parts: { repositories: { ...directAccess, pin } } });
	const file = join(here.stored.directory, 'pins');
	await writeFile(file, 'no folder can be made here');
	await here.recovery.step('reserve', { limit: 8 });
	await here.recovery.step('unpinned', why);
	await here.recovery.step('allocate', { plan: here.plan });
	await waitFor('two attempts', () => refused > 1, within);
	assert.notEqual((await here.recovery.view()).unpinned, null);
	await rename(file, `${file}-away`);
	await here.recovery.viewed('pinned', view => view.unpinned === null);
	await here.incident('pinned');
	assert.deepEqual(await pinsOf(here), [here.recovery.recoveryId]);
	assert.equal((await here.state()).unpinned, null);
});

test('an unpin that is owed is settled when the repository is back, after a restart of the supervisor as well', async t => {
	const here = await simulate(t);
	const { directory } = here.stored;
	const { recoveryId } = here.recovery;
	await pinFor(here, recoveryId);
	await here.finish();
	await rename(directory, `${directory}-away`);
	await here.recovery.step('owe-unpin', { repository: directory });
	const all = new OwedUnpins(here.host.installation.home);
	const owed = await all.read(recoveryId);
	assert.deepEqual({ ...owed, since: '' }, { repository: directory, recoveryId, since: '' });
	await here.stop();
	await rename(`${directory}-away`, directory);
	assert.deepEqual(await pinsOf(here), [recoveryId]);
	await here.start();
	const settled = async () => (await all.recoveryIds()).length === 0;
	await waitFor('the unpin', settled, within);
	assert.deepEqual(await pinsOf(here), []);
});

test('a repository that hangs, or a record that is damaged, holds up neither the supervisor nor other debts', async t => {
	const repositories: RepositoryAccess = {
		...hanging,
		unpin: (repository, recoveryId) => (repository === '/hangs' ? never() : directAccess.unpin(repository, recoveryId)),
	};
	const here = await simulate(t, { parts: { repositories } });
	await here.stop();
	const { home } = here.host.installation;
	const [recoveryId, since] = [randomUUID(), new Date().toISOString()];
	const owed = new OwedUnpins(home);
	await owed.add({ repository: '/hangs', recoveryId: randomUUID(), since });
	await owed.add({ repository: here.stored.directory, recoveryId, since });
	await writeFile(join(places.owedUnpins(home), `${randomUUID()}.json`), 'nothing');
	await pinFor(here, recoveryId);
	await here.start();
	await here.recovery.run();
	await waitFor('the other unpin', async () => (await pinsOf(here)).length === 0, within);
});

test('the pin of a recovery that has left for another host is not taken for a late one', async t => {
	const here = await simulate(t);
	const { recoveryId } = here.recovery;
	const over = randomUUID();
	await here.recovery.step('reserve', { limit: 8 });
	await here.recovery.step('allocate', { plan: here.plan });
	await here.supervisor.step('r2', 'undo', { recoveryId: over, generation: 1 });
	await here.recovery.step('undo', { left: true });
	await pinFor(here, recoveryId);
	await pinFor(here, over);
	const gone = async () => !(await pinsOf(here)).includes(over);
	await waitFor('the late pin to go', gone, { timeoutMs: 600_000, clock: here.clock });
	assert.deepEqual(await pinsOf(here), [recoveryId]);
});

test('a pin that comes after its unpin is taken away, after a restart as well; that of one which is not over stays', async t => {
	const here = await simulate(t);
	const { recoveryId } = here.recovery;
	const [elsewhere, strange] = [randomUUID(), randomUUID()];
	await pinFor(here, elsewhere);
	await pinFor(here, recoveryId);
	await here.finish();
	await directAccess.unpin(here.stored.directory, recoveryId);
	const late = async () => {
		await pinFor(here, recoveryId);
		const gone = async () => !(await pinsOf(here)).includes(recoveryId);
		await waitFor('the late pin to go', gone, { timeoutMs: 600_000, clock: here.clock });
	};
	await late();
	await late();
	await here.stop();
	await here.start();
	await late();
	assert.deepEqual(await pinsOf(here), [elsewhere]);
	// A damaged one says by its name whose it is; that of nobody known here stays, and holds up nothing.
	await writeFile(join(here.stored.directory, 'pins', recoveryId), 'damaged');
	await writeFile(join(here.stored.directory, 'pins', strange), 'damaged');
	const damaged = async () =>
		(await directAccess.listPins(here.stored.directory)).unreadable.map(pin => pin.recoveryId);
	const oneIsGone = async () => !(await damaged()).includes(recoveryId);
	await waitFor('the damaged pin to go', oneIsGone, { timeoutMs: 600_000, clock: here.clock });
	assert.deepEqual(await damaged(), [strange]);
});

test('`owe-unpin` of a recovery that is not over is refused', async t => {
	const here = await simulate(t);
	await here.recovery.run();
	const owe = here.recovery.step('owe-unpin', { repository: here.stored.directory });
	await assert.rejects(owe, { code: 'phase_wrong' });
	assert.deepEqual(await new OwedUnpins(here.host.installation.home).recoveryIds(), []);
});
