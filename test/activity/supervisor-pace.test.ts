/** How fast copies are beside a datastore whose latency this test says, with real movers. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MigrationMoverControl } from '../../movers/client.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { waitFor } from '../../system/wait.ts';
import { startInside } from '../equipment/inner-supervisor.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const MiB = 1024 * 1024;
const windowMs = 2_000;

/** A recovery whose disk is being copied; its machine stays off. */
class Copy {
	readonly recovery: SteppedRecovery;
	readonly #control: MigrationMoverControl;

	constructor(recovery: SteppedRecovery) {
		this.recovery = recovery;
		const { installation } = recovery.host;
		this.#control = new MigrationMoverControl(
			recoveryPlaces(installation, recovery.name, recovery.recoveryId).migrationSocket,
		);
	}

	async begin(): Promise<void> {
		await this.recovery.step('migrate-chunks', { maxRateBytes: 0 });
		await this.recovery.viewed('copying', ({ copying }) => copying);
	}

	state() {
		return this.#control.state();
	}

	async incidents(): Promise<string[]> {
		return (await this.recovery.host.client.incidents(this.recovery.name, 0)).map(({ kind }) => kind);
	}
}

async function speeds(copies: readonly Copy[]): Promise<number[]> {
	const written = () => Promise.all(copies.map(async copy => (await copy.state()).writtenBytes));
	const [before, begun] = [await written(), performance.now()];
	await delay(windowMs);
	const [after, seconds] = [await written(), (performance.now() - begun) / 1000];
	return after.map((bytes, index) => (bytes - (before[index] ?? 0)) / seconds);
}

/**
 * What a limit is not: exact within a window. A mover that the busy machine left without a processor may make up for 400 ms, and
 * has up to 100 ms of it in its hands (token-bucket.ts, copy-by-threads.ts). A copy that does not share has twice the limit.
 */
const mostAheadMs = 500;

/** Movers are nice: on a machine that is busy with other tests they come to less. */
function mustNotExceed(measured: number, limit: number): void {
	const most = (limit * (windowMs + mostAheadMs)) / windowMs;
	assert.ok(measured > 0 && measured <= most, `${Math.round(measured)} B/s, and ${limit} is the limit`);
}

test('copies share the limit of their host, give way to guests on a slow datastore, and are let again', async t => {
	// In memory: how fast a disk of this machine syncs is no matter of the limit.
	const memory = await mkdtemp('/dev/shm/rouse-pace-');
	const host = await SupervisedHost.create(t, await mkdtemp(join(memory, 'home-')));
	t.after(() => rm(memory, { recursive: true, force: true }));
	// Of one chunk: it takes a while to be copied, and none to be stored.
	const stored = await storeDisk(join(memory, 'repository'), Buffer.alloc(192 * MiB, 'copied for a while'), {
		chunkSizeBytes: 64 * 1024,
	});
	const configure = (copyBytesPerSecond: string) =>
		writeFile(
			join(host.installation.home, 'config.yaml'),
			JSON.stringify({ repositories: { main: stored.directory }, host: { copyBytesPerSecond } }),
		);
	await configure('5 MiB/s');
	let latencyMs = 3;
	await startInside(host, host.installation, {
		latency: { everyMs: 100, look: async () => ({ ms: latencyMs, source: 'this test' }) },
	});
	const copies = ['r1', 'r2'].map(name => new Copy(new SteppedRecovery(host, samplePlan(stored), name)));
	for (const { recovery } of copies) await recovery.run({ on: false });
	await Promise.all(copies.map(copy => copy.begin()));
	const rates = (what: string, wanted: (rate: number) => boolean) =>
		waitFor(
			what,
			async () =>
				(await Promise.all(copies.map(copy => copy.state()))).every(({ maxRateBytes }) => wanted(maxRateBytes)),
			{ timeoutMs: 30_000 },
		);
	const [first] = copies;
	assert.ok(first);
	const migrations = async () => (await host.client.capacity()).resources['migrations'];
	const limits = async () => (await first.recovery.view()).copyLimits.map(({ code }) => code);

	await rates('both to have their share', rate => rate === 2.5 * MiB);
	const measured = await speeds(copies);
	for (const one of measured) mustNotExceed(one, 2.5 * MiB);
	mustNotExceed(
		measured.reduce((sum, one) => sum + one, 0),
		5 * MiB,
	);
	assert.deepEqual([await migrations(), await limits()], [{ total: 4, outside: 2 }, ['host']]);

	latencyMs = 25;
	await waitFor('no new copy to begin', async () => (await migrations())?.total === 2, { timeoutMs: 30_000 });
	assert.match((await migrations())?.reduced ?? '', /^the datastore was at 25 ms, above 20 ms: no new migration$/);
	assert.deepEqual(await limits(), ['host']);

	latencyMs = 50;
	await rates('both to be slowed to the least', rate => rate === 2 * MiB);
	assert.deepEqual(await limits(), ['latency']);
	assert.equal((await host.client.host()).datastore?.copyBytesPerSecond, 4 * MiB);

	latencyMs = 3;
	await configure('6 MiB/s'); // which takes effect without a new start
	await rates('both to be let again', rate => rate === 3 * MiB);
	assert.deepEqual([(await migrations())?.total, await limits()], [4, ['host']]);
	const told = ['copy_slowed', 'copy_at_full_speed'].join();
	for (const copy of copies)
		await waitFor('its end to be told', async () => (await copy.incidents()).join() === told, { timeoutMs: 30_000 });
});
