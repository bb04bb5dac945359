import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { decodeJournal } from '../../repository/format/journal.ts';
import { keys } from '../../repository/format/keys.ts';
import { sealJson } from '../../repository/format/sealed-json.ts';
import { importMachine, type ImportResult } from '../../repository/import/import-machine.ts';
import type { ImportOptions } from '../../repository/import/import-request.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import type { Store } from '../../repository/store/contract.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { type Calls, Death, WatchedStore } from '../equipment/mortal-store.ts';
import { collect, importDisks, memoryRepository, noise, SparseSource, wholeSource } from '../equipment/repositories.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const chunkBytes = 4096;
const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const machine = 'web01';
const time = '2026-11-20T03:00:00.000Z';

const data = noise(28 * chunkBytes, 1);
data.fill(0, 5 * chunkBytes, 8 * chunkBytes);
data.copyWithin(12 * chunkBytes, 0, 2 * chunkBytes);

/** Data, zeros that are read, equal chunks, parts that are not there; a second disk, and one that is all zero. */
function makeSources(): SparseSource[] {
	const [first, second, third] = [
		data.subarray(0, 22 * chunkBytes),
		data.subarray(-6 * chunkBytes, -5 * chunkBytes),
		data.subarray(-5 * chunkBytes),
	];
	return [
		new SparseSource(40 * chunkBytes + 77, [
			{ offsetBytes: 2 * chunkBytes, bytes: first },
			{ offsetBytes: 38 * chunkBytes, bytes: second },
		]),
		new SparseSource(9 * chunkBytes, [{ offsetBytes: 0, bytes: third }]),
		new SparseSource(5 * chunkBytes, []),
	];
}

const chunkCounts = [41, 9, 5];

interface Attempt {
	sources?: readonly SparseSource[];
	moment?: string | null;
	options?: ImportOptions;
}

function attempt(
	repository: Repository,
	{ sources = makeSources(), moment = 'then', options = {} }: Attempt = {},
): Promise<ImportResult> {
	const config = { ...sampleConfig, disks: sampleDisks(sources.length) };
	const packBytes = 4.5 * chunkBytes;
	return importMachine({ repository, machine, time, sources, config, packBytes, importId, moment }, options);
}

/** The same repository, as another process sees it. */
function seenBy(repository: Repository, calls: Calls): Repository {
	return { ...repository, store: new WatchedStore(repository.store, calls) };
}

async function keysIn(store: Store, prefix = ''): Promise<string[]> {
	return (await collect(store.list(prefix))).map(({ key }) => key);
}

/** `disk/chunk` of all that whole objects tell. */
async function toldIn(store: Store, counts: readonly number[] = chunkCounts): Promise<Set<string>> {
	const told = new Set<string>();
	for (const { key, sizeBytes } of await collect(store.list(keys.journals))) {
		const bytes = Buffer.alloc(sizeBytes);
		await store.read(key, 0, bytes);
		const number = Number(key.slice(-10));
		const scope = { importId, number, chunkCounts: counts, hasBase: false };
		for (const { disk, firstChunk, count } of decodeJournal(bytes, scope).runs)
			for (let chunk = firstChunk; chunk < firstChunk + count; chunk++) told.add(`${disk}/${chunk}`);
	}
	return told;
}

function readFrom(sources: readonly SparseSource[]): string[] {
	return sources.flatMap(({ reads }, disk) =>
		reads.flatMap(({ offsetBytes, lengthBytes }) =>
			Array.from(
				{ length: Math.ceil(lengthBytes / chunkBytes) },
				(_, index) => `${disk}/${offsetBytes / chunkBytes + index}`,
			),
		),
	);
}

async function digestsIn(repository: Repository): Promise<string[]> {
	const point = await readPoint(repository, machine, time);
	assert.deepEqual((await verifyPoint(repository, point)).damaged, []);
	return point.manifest.disks.map(({ contentDigest }) => contentDigest);
}

async function expectedDigests(): Promise<string[]> {
	const repository = await memoryRepository();
	await attempt(repository);
	return digestsIn(repository);
}

test('`importMachine` that died at any call of its store is gone on with, and reads what no object told', async () => {
	const expected = await expectedDigests();
	const all = new Death(Number.POSITIVE_INFINITY);
	await attempt(seenBy(await memoryRepository(), all));
	let told = 0;
	for (let at = 1; at <= all.calls; at++)
		for (const isAfter of [false, true]) {
			const repository = await memoryRepository();
			const where = `died ${isAfter ? 'after' : 'before'} call ${at} of ${all.calls}`;
			const outcome = await attempt(seenBy(repository, new Death(at, isAfter))).then(
				() => 'done',
				(error: unknown) => (error instanceof RouseError ? error.code : String(error)),
			);
			const wasThere = (await keysIn(repository.store, keys.points)).length > 0;
			assert.ok(outcome === 'store_unreachable' || wasThere, `${where}: ${outcome}`);
			const toldBefore = await toldIn(repository.store);
			const sources = makeSources();
			const { manifestDigest } = await attempt(repository, { sources });
			const read = readFrom(sources);
			assert.deepEqual(
				read.filter(chunk => toldBefore.has(chunk)),
				[],
				where,
			);
			if (wasThere) assert.deepEqual(read, [], where);
			else assert.ok(read.length + toldBefore.size >= 28, `${where}: ${read.length} read`);
			told = Math.max(told, toldBefore.size);
			assert.deepEqual(await digestsIn(repository), expected, where);
			assert.equal((await readPoint(repository, machine, time)).manifestDigest, manifestDigest);
			assert.deepEqual(await keysIn(repository.store, keys.intents), [], where);
			assert.deepEqual(await keysIn(repository.store, keys.journals), [], where);
		}
	assert.ok(told > 45, `${told} chunks were told of at most`);
});

test('`importMachine` whose attempts all die comes to its point, and stores no chunk twice that was told of', async () => {
	const expected = await expectedDigests();
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.boolean()), { maxLength: 6 }),
			async deaths => {
				const repository = await memoryRepository();
				for (const [at, isAfter] of deaths) await attempt(seenBy(repository, new Death(at, isAfter))).catch(() => {});
				const sources = makeSources();
				const told = await toldIn(repository.store);
				await attempt(repository, { sources });
				assert.deepEqual(
					readFrom(sources).filter(chunk => told.has(chunk)),
					[],
				);
				assert.deepEqual(await digestsIn(repository), expected);
			},
		),
		{ numRuns: 25 },
	);
});

test('`importMachine` twice at once of one import publishes one point, with all its chunks, in whatever order things happen', async () => {
	const expected = await expectedDigests();
	let superseded = 0;
	await fc.assert(
		fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 80 }), async (scheduler, at) => {
			const store = new MemoryStore();
			const repository = await memoryRepository(chunkBytes, store);
			const published: string[] = [];
			const calls = (death: Death): Calls => ({
				before: async call => {
					await scheduler.schedule(Promise.resolve(), call);
					await death.before();
				},
				after: async call => {
					if (call.startsWith('put points/')) published.push(call);
					await scheduler.schedule(Promise.resolve(), call);
					await death.after();
				},
			});
			// The first one may die on the way; the second one never does.
			const attempts = [new Death(at), new Death(Number.POSITIVE_INFINITY)].map(death =>
				attempt(seenBy(repository, calls(death))),
			);
			const outcomes = await scheduler.waitFor(Promise.allSettled(attempts));
			const codes = outcomes.map(outcome => (outcome.status === 'fulfilled' ? 'done' : outcome.reason.code));
			superseded += codes.filter(code => code === 'import_superseded').length;
			for (const code of codes) assert.ok(['done', 'import_superseded', 'store_unreachable'].includes(code), code);
			// Whoever is superseded, it is by one that goes on or died.
			if (!codes.includes('done')) {
				assert.equal(codes[0], 'store_unreachable');
				await attempt(repository);
			}
			assert.deepEqual(await digestsIn(repository), expected);
			const { manifestDigest } = await readPoint(repository, machine, time);
			for (const outcome of outcomes)
				if (outcome.status === 'fulfilled') assert.equal(outcome.value.manifestDigest, manifestDigest);
		}),
		{ numRuns: 25 },
	);
	assert.ok(superseded > 0);
});

/** Held back at a call until it is let go. */
function heldAt(call: RegExp): { calls: Calls; reached: Promise<void>; letGo: () => void } {
	const reached = Promise.withResolvers<void>();
	const gone = Promise.withResolvers<void>();
	const calls: Calls = {
		before: async name => {
			if (!call.test(name)) return;
			reached.resolve();
			await gone.promise;
		},
		after: async () => {},
	};
	return { calls, reached: reached.promise, letGo: gone.resolve };
}

for (const call of [/put journal\/.*3$/, /put points/, /finish packs/, /list packs/])
	test(`\`importMachine\` held back at ${call} while another attempt ends gives the same answer, or is superseded`, async () => {
		const repository = await memoryRepository();
		const held = heldAt(call);
		const first = attempt(seenBy(repository, held.calls));
		await held.reached;
		const second = await attempt(repository);
		held.letGo();
		const outcome = await first.then(
			({ manifestDigest }) => manifestDigest,
			(error: unknown) => (error instanceof RouseError ? error.code : String(error)),
		);
		assert.ok([second.manifestDigest, 'import_superseded'].includes(outcome), outcome);
		assert.equal((await keysIn(repository.store, keys.points)).length, 1);
		assert.deepEqual(await digestsIn(repository), await expectedDigests());
		assert.equal((await readPoint(repository, machine, time)).manifestDigest, second.manifestDigest);
	});

test('`importMachine` of another moment, or of none, does not go on with what was begun', async () => {
	const repository = await memoryRepository();
	await assert.rejects(attempt(seenBy(repository, new Death(40))));
	const before = await keysIn(repository.store);
	for (const moment of ['now', null])
		await assert.rejects(attempt(repository, { moment }), { code: 'identity_conflict', exitCode: 6 });
	const others = [...makeSources(), new SparseSource(5, [])];
	await assert.rejects(attempt(repository, { sources: others }), { code: 'identity_conflict' });
	assert.deepEqual(await keysIn(repository.store), before);
});

test('`importMachine` reads again what its journal tells of a pack that is gone', async () => {
	const repository = await memoryRepository();
	const dying = heldAt(/put points/);
	const first = attempt(seenBy(repository, dying.calls));
	await dying.reached;
	for (const key of await keysIn(repository.store, keys.packs)) await repository.store.delete(key);
	const sources = makeSources();
	await attempt(repository, { sources });
	assert.equal(readFrom(sources).length, 28 - 3, 'zeros need no pack');
	assert.deepEqual(await digestsIn(repository), await expectedDigests());
	dying.letGo();
	await first;
});

test('`importMachine` reads a disk that comes in order anew: what an attempt read that did not come to its end is not proven', async () => {
	const repository = await memoryRepository();
	const wrong = Buffer.from(data);
	wrong.fill(7, 0, chunkBytes);
	wrong.fill(0, 20 * chunkBytes, 21 * chunkBytes);
	const inOrder = (bytes: Buffer) =>
		Object.assign(wholeSource(bytes), {
			access: 'sequential' as const,
			checkUnchanged: async () => {
				if (bytes === wrong) throw new RouseError('source_invalid', 'its check sum is another');
			},
		});
	await assert.rejects(attempt(repository, { sources: [inOrder(wrong)] }), { code: 'source_invalid' });
	assert.ok((await toldIn(repository.store, [28])).size > 0);
	await attempt(repository, { sources: [inOrder(data)] });
	const other = await memoryRepository();
	await attempt(other, { sources: [wholeSource(data)] });
	assert.deepEqual(await digestsIn(repository), await digestsIn(other));
});

test('`importMachine` that fails leaves what another attempt needs, and nothing when there can be none', async () => {
	for (const [moment, left] of [
		['then', 1],
		[null, 0],
	] as const) {
		const repository = await memoryRepository();
		const [first, ...more] = makeSources();
		assert.ok(first);
		const changed = Object.assign(first, {
			checkUnchanged: async () => {
				throw new RouseError('source_invalid', 'it changed');
			},
		});
		await assert.rejects(attempt(repository, { moment, sources: [changed, ...more] }), { code: 'source_invalid' });
		assert.equal((await keysIn(repository.store, keys.intents)).length, left);
		assert.equal((await keysIn(repository.store, keys.journals)).length > 0, left > 0);
	}
});

test('`importMachine` of a time that another import has taken leaves neither intent nor journal', async () => {
	const repository = await memoryRepository();
	const held = heldAt(/put points/);
	const first = attempt(seenBy(repository, held.calls));
	await held.reached;
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	await importMachine({ repository, machine, time, sources: [new SparseSource(5, [])], config });
	held.letGo();
	await assert.rejects(first, { code: 'point_exists' });
	assert.deepEqual(await keysIn(repository.store, keys.intents), []);
	assert.deepEqual(await keysIn(repository.store, keys.journals), []);
});

test('`importMachine` whose time was taken since its attempt before is `point_exists`, and leaves nothing of that one', async () => {
	const repository = await memoryRepository();
	await assert.rejects(attempt(seenBy(repository, new Death(40))));
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	const other = { repository, machine, time, sources: [new SparseSource(5, [])], config };
	await importMachine(other);
	// Another import's id, by mistake: not even then.
	await importMachine({ ...other, time: '2026-11-21T03:00:00.000Z' });
	await assert.rejects(importMachine({ ...other, time: '2026-11-21T03:00:00.000Z', importId }), {
		code: 'point_exists',
	});
	assert.equal((await keysIn(repository.store, keys.intents)).length, 1);
	await assert.rejects(attempt(repository), { code: 'point_exists' });
	assert.deepEqual(await keysIn(repository.store, keys.intents), []);
	assert.deepEqual(await keysIn(repository.store, keys.journals), []);
});

test('`importMachine` whose time a fence has taken is `point_exists`, and leaves nothing of the attempt before', async () => {
	const repository = await memoryRepository();
	await assert.rejects(attempt(seenBy(repository, new Death(40))));
	const fence = { repositoryId: repository.id, machine, time, importId };
	await repository.store.putExclusive(keys.point(machine, time), sealJson('rouse-fence', fence));
	await assert.rejects(attempt(repository), { code: 'point_exists' });
	assert.deepEqual(await keysIn(repository.store, keys.intents), []);
});

test('`importMachine` has deleted what it may of others, and merged, before its intent goes', async () => {
	const repository = await memoryRepository();
	const { store } = repository;
	const feature = `${keys.features}delete/later`;
	await store.putExclusive(feature, Buffer.alloc(0));
	const imports = async (seed: number, to: Repository) => {
		const at = new Date(Date.parse(time) + seed * 1000).toISOString();
		return importDisks(to, [wholeSource(noise(chunkBytes, Math.min(seed, 16)))], { time: at });
	};
	for (let seed = 1; seed <= 16; seed++) await imports(seed, repository);
	await store.delete(feature);
	await store.putExclusive(keys.journal(importId, 0), Buffer.alloc(0)); // left over
	const deleted: string[] = [];
	const calls = {
		before: async (call: string) => {
			if (call.startsWith('delete')) deleted.push(call.split(/[ /]/)[1] ?? '');
		},
		after: async () => {},
	};
	await imports(17, seenBy(repository, calls));
	assert.ok(deleted.includes('index') && deleted.includes('journal'));
	assert.equal(deleted.at(-1), 'intents');
	assert.deepEqual(await keysIn(store, keys.journals), []);
});

test('`importMachine` creates nothing before its intent', async () => {
	const repository = await memoryRepository();
	await repository.store.delete(keys.headerCopy);
	const puts: string[] = [];
	const calls = {
		before: async (call: string) => {
			if (call.startsWith('put') || call.startsWith('create')) puts.push(call);
		},
		after: async () => {},
	};
	const { warnings } = await attempt(seenBy(repository, calls));
	assert.deepEqual(warnings, []);
	assert.equal(puts[0], `put ${keys.intent(importId)}`);
	assert.ok(puts.includes(`put ${keys.headerCopy}`));
});
