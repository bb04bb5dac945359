/** The steps of an import from EC2 as workers take them: by config.yaml, in processes that are killed. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { initRepository, openRepository } from '../../repository/repository.ts';
import type { ImportPlaces } from '../../sources/machine-child/calls.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import type { ImportOrder } from '../../sources/machine/order.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EbsPeer, peerCredentialFile, peerRegion, peerSecret } from '../equipment/ec2/peer.ts';
import { readStoredDisks } from '../equipment/ec2/stored-disks.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const onProgress = () => {};
const mib = 2 ** 20;
/** Of disks of 1 GiB: the rest was never written. */
const writtenBytes = 96 * mib;

class Site {
	readonly peer: EbsPeer;
	readonly places: ImportPlaces;
	readonly #home: string;

	private constructor(peer: EbsPeer, home: string, places: ImportPlaces) {
		this.peer = peer;
		this.places = places;
		this.#home = home;
	}

	static async make(t: TestContext, peer: EbsPeer, instanceId: string): Promise<Site> {
		const directory = await temporaryDirectory(t);
		const home = join(directory, 'home');
		await mkdir(home, { mode: 0o700 });
		const { location, id, store } = await initRepository(join(directory, 'repository'));
		await store.close();
		await writeFile(join(home, 'aws'), peerCredentialFile, { mode: 0o600 });
		const uri = `ec2://${peerRegion}/${instanceId}`;
		const config = {
			repositories: { main: location },
			credentials: { aws: { file: 'aws' } },
			sources: { web: { uri, credential: 'aws', machine: 'web01' } },
		};
		await writeFile(join(home, 'config.yaml'), JSON.stringify(config));
		return new Site(peer, home, { source: 'web', repository: location, repositoryId: id });
	}

	steps(more: NodeJS.ProcessEnv = {}) {
		// Compiled once, as for workers: there are many processes.
		const usual = { NODE_COMPILE_CACHE: join(cacheDirectory(process.env), 'compile') };
		const env = { ...process.env, ...usual, AWS_ENDPOINT_URL: this.peer.endpoint, ...more };
		return childSteps(this.#home, { env });
	}

	/** A process that kills itself when it comes to the place. */
	async killedAt(place: string, step: (steps: ReturnType<typeof childSteps>) => Promise<unknown>): Promise<void> {
		const dying = this.steps({ ROUSE_TEST_KILL_AT: place });
		await assert.rejects(step(dying), { code: 'import_failed', message: /SIGKILL/ }, place);
	}

	plan(): Promise<ImportOrder> {
		return this.steps().plan(this.places, { importId: randomUUID(), machine: 'web01' }, signal);
	}

	async left(): Promise<{ tag: string; costText: string | null }[]> {
		const { source, repository } = this.places;
		return (await this.steps().leftovers({ source, repository }, 'web01', signal)).leftovers;
	}

	async stored({ time }: ImportOrder): Promise<Buffer[]> {
		const repository = await openRepository(this.places.repository);
		try {
			return await readStoredDisks(repository, 'web01', time, writtenBytes);
		} finally {
			await repository.store.close();
		}
	}
}

test('an import from EC2 whose processes are killed fetches no block again that was durable, and leaves one set', async t => {
	const peer = await EbsPeer.start(t);
	const { instanceId, volumeIds } = await peer.instance([1, 1]);
	const [root = '', data = ''] = volumeIds;
	// A pack of 64 MiB, and 32 blocks behind it; then 8 blocks.
	await peer.write(root, 0, noise(80 * mib, 1));
	await peer.write(data, 4 * mib, noise(4 * mib, 2));
	const site = await Site.make(t, peer, instanceId);
	const { places } = site;

	const first = await site.plan();
	assert.ok(first.plan.disks.every(({ reads }) => reads === 'all'));
	await site.killedAt('created', steps => steps.begin(places, first, signal));
	const moment = await site.steps().begin(places, first, signal);
	assert.equal(JSON.stringify([first, moment]).includes(peerSecret), false);
	const held = await Promise.all([root, data].map(volumeId => peer.content(volumeId, writtenBytes)));
	await peer.write(root, mib, noise(512, 3));
	await site.steps().ready(places, moment, signal);
	const copy = { order: first, moment, maxRateBytes: null };
	for (const place of ['disk', 'data'])
		await site.killedAt(place, steps => steps.copy(places, copy, { signal, onProgress }));
	const read = await peer.blocksRead();
	assert.equal(new Set(read).size, 168);
	assert.ok(read.length <= 168 + 34, `${read.length} blocks were read, of 168`);
	await site.killedAt('manifest', steps => steps.copy(places, copy, { signal, onProgress }));
	await site.steps().copy(places, copy, { signal, onProgress });
	assert.equal((await peer.blocksRead()).length, read.length, 'something was read that was durable');
	for (const [number, bytes] of (await site.stored(first)).entries())
		assert.ok(bytes.equals(held[number] ?? Buffer.alloc(0)), `disk ${number} is not what it was`);
	await site.steps().commit(places, first, signal);
	assert.deepEqual(await site.left(), []);

	const second = await site.plan();
	assert.ok(second.plan.disks.every(({ reads }) => reads === 'changes'));
	const next = await site.steps().begin(places, second, signal);
	await site.steps().ready(places, next, signal);
	await site.steps().copy(places, { order: second, moment: next, maxRateBytes: null }, { signal, onProgress });
	// A chunk is read whole.
	assert.ok((await peer.blocksRead()).length - read.length <= 2);
	await site.killedAt('keep', steps => steps.commit(places, second, signal));
	const left = await site.left();
	assert.deepEqual(
		left.map(({ tag }) => tag),
		[first.tag, first.tag],
	);
	assert.ok(left.every(({ costText }) => costText === 'at most 0.05 USD a month'));
	await site.steps().commit(places, second, signal);
	assert.deepEqual(await site.left(), []);
});
