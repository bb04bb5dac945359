import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { listPoints } from '../../repository/points.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import { copyResultSchema } from '../../sources/machine/copy-result.ts';
import { sourceMomentSchema } from '../../sources/machine/documents.ts';
import { type ImportOrder, importOrderSchema } from '../../sources/machine/order.ts';
import { beginMoment } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import type { StepPlaces } from '../../sources/machine/steps/places.ts';
import { blockBytes as block } from '../../sources/simulated-machine/bitmaps.ts';
import { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { SimulatedMachineSource } from '../../sources/simulated-machine/source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { judge } from '../equipment/foreign-judge.ts';
import { collect, noise } from '../equipment/repositories.ts';

const run = promisify(execFile);
const child = new URL('../equipment/machine-step-child.ts', import.meta.url).pathname;
const name = 'web01';

class Site {
	readonly machine: MachineInDirectory;
	readonly repository: string;

	private constructor(machine: MachineInDirectory, repository: string) {
		this.machine = machine;
		this.repository = repository;
	}

	static async make(t: TestContext): Promise<Site> {
		const directory = await temporaryDirectory(t);
		const repository = await initRepository(join(directory, 'repository'), { chunkSizeBytes: block });
		await repository.store.close();
		const machine = await MachineInDirectory.make(join(directory, 'machine'), {
			flavour: 'bitmaps',
			identity: 'machine-1',
			name: 'a machine',
			config: {},
			leftOut: [],
			disks: [
				{ key: 'disk-0', sizeBytes: 20 * block },
				{ key: 'disk-1', sizeBytes: 2 * block + 512 },
			],
		});
		await machine.write('disk-0', 2 * block, noise(16 * block, 1));
		await machine.write('disk-1', 0, noise(block, 2));
		return new Site(machine, repository.location);
	}

	/** A step in a process of its own. */
	async step(step: string, input: unknown): Promise<unknown> {
		const { stdout } = await run(process.execPath, this.#args(step, input));
		return JSON.parse(stdout);
	}

	/** A process that kills itself when it comes to the place. */
	async killedAt(place: string, step: string, input: unknown): Promise<void> {
		const env = { ...process.env, ROUSE_TEST_KILL_AT: place };
		await assert.rejects(run(process.execPath, this.#args(step, input), { env }), { signal: 'SIGKILL' }, place);
	}

	#args(step: string, input: unknown): string[] {
		return [child, this.repository, this.machine.files.directory, step, JSON.stringify(input)];
	}

	wish() {
		return { importId: randomUUID(), machine: name, now: new Date() };
	}

	/** In this process. */
	async inPlace<T>(step: (places: StepPlaces) => Promise<T>): Promise<T> {
		const repository = await openRepository(this.repository);
		try {
			const source = new SimulatedMachineSource(this.machine.files.directory);
			return await step({ source, repository, signal: new AbortController().signal });
		} finally {
			await repository.store.close();
		}
	}

	/** An import that nothing happens to. */
	async whole(): Promise<ImportOrder> {
		return this.inPlace(async places => {
			const order = await makeOrder(places, { ...this.wish(), spec: {} });
			await copyMoment(places, { order, moment: await beginMoment(places, order) });
			await commitMoment(places, order);
			return order;
		});
	}

	async digests(): Promise<string[]> {
		const disks = ['disk-0', 'disk-1'].map(async key => readFile(this.machine.files.disk(key)));
		return (await Promise.all(disks)).map(bytes => createHash('sha256').update(bytes).digest('hex'));
	}

	async tagsLeft(): Promise<string[]> {
		const left = new SimulatedMachineSource(this.machine.files.directory).leftovers(undefined);
		return [...new Set((await collect(left)).map(({ tag }) => tag))];
	}

	async points(): Promise<string[]> {
		return this.inPlace(({ repository }) => listPoints(repository, name));
	}
}

test('an import whose processes are killed at every step is gone on with, or given up, and the points are what the disks were', async t => {
	const site = await Site.make(t);
	const first = await site.whole();

	await site.machine.write('disk-0', 5 * block + 512, noise(6 * block, 3));
	await site.machine.discard('disk-1', 0, 1024);
	const order = importOrderSchema.parse(await site.step('order', site.wish()));
	assert.ok(order.plan.disks.every(({ reads }) => reads === 'changes'));
	await site.killedAt('begin-disk:2', 'begin', order);
	await site.machine.write('disk-1', block, noise(512, 4));
	const expected = await site.digests();
	await site.killedAt('begun', 'begin', order);
	await site.machine.write('disk-0', 0, noise(block, 5));
	const moment = sourceMomentSchema.parse(await site.step('begin', order));

	for (const place of ['extents:9', 'data', 'manifest']) await site.killedAt(place, 'copy', { order, moment });
	copyResultSchema.parse(await site.step('copy', { order, moment }));
	await site.killedAt('drop', 'commit', order);
	await site.step('commit', order);
	assert.deepEqual(await site.tagsLeft(), [order.tag]);
	assert.deepEqual(await site.points(), [first.time, order.time]);
	// Seven blocks of one disk were touched, and both whole ones of the other: beside them only what was under way is read again.
	const lines = (await readFile(site.machine.files.reads, 'utf8')).split('\n');
	const reads = lines.filter(line => line.startsWith(order.tag)).map(line => Number(line.split(' ')[3]));
	const readBytes = reads.reduce((sum, bytes) => sum + bytes, 0);
	assert.ok(readBytes <= 2 * 9 * block, `${readBytes} bytes were read`);

	const failed = await site.inPlace(places => makeOrder(places, { ...site.wish(), spec: {} }));
	const failedMoment = await site.inPlace(places => beginMoment(places, failed));
	await site.killedAt('data', 'copy', { order: failed, moment: failedMoment });
	await site.killedAt('abandon', 'give-up', failed);
	assert.equal(await site.step('give-up', failed), 'given-up');
	assert.deepEqual(await site.tagsLeft(), [order.tag]);

	const disks = [0, 1].map(disk => ({
		machine: name,
		time: order.time,
		disk,
		path: join(site.repository, `../disk${disk}`),
	}));
	const { findings, exports } = await judge(site.repository, disks);
	assert.deepEqual(findings, []);
	assert.deepEqual(
		exports.map(({ sha256 }) => sha256),
		expected,
	);
});
