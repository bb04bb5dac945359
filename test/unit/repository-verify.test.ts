import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { BadPlaces } from '../../repository/bad-places.ts';
import { decodePackEnd } from '../../repository/format/pack.ts';
import { keys } from '../../repository/format/keys.ts';
import { encodeJournal } from '../../repository/format/journal.ts';
import { canonicalJson, sealJson } from '../../repository/format/sealed-json.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { announceImport } from '../../repository/import/intent.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { ImportIndex } from '../../repository/index/import-index.ts';
import { IndexDraft } from '../../repository/index/index-draft.ts';
import { allPackFooters, readPackFooter } from '../../repository/pack-footers.ts';
import { maxIndexes } from '../../repository/index/list-indexes.ts';
import { listPins, pinPoint } from '../../repository/pins.ts';
import { readPoint } from '../../repository/points.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { type Finding, Findings } from '../../repository/verify/findings.ts';
import { PagePlaces } from '../../repository/verify/page-places.ts';
import { tellOfWrongChunks, verifyPacks } from '../../repository/verify/packs.ts';
import { type RepositoryVerifyOptions, verifyRepository } from '../../repository/verify/repository.ts';
import { Suspects } from '../../repository/verify/suspects.ts';
import type { Repository } from '../../repository/repository.ts';
import { systemClock } from '../../system/clock.ts';
import {
	collect,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	wholeSource,
} from '../equipment/repositories.ts';
import { hookedStore } from '../equipment/hooked-store.ts';
import { packNumber } from '../equipment/indexed-packs.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const times = ['2026-11-20T03:00:00.000Z', '2026-11-21T03:00:00.000Z'] as const;
const disk = noise(40 * 4096, 1);

async function repositoryWithPoints() {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	for (const time of times) await importDisks(repository, [wholeSource(disk)], { time, packBytes: 1e6 });
	await importDisks(repository, [wholeSource(noise(9000, 9))], { machine: 'db01' });
	await ImportIndex.begin(store, { mayDelete: true }); // which makes indexes for packs that have none
	const { manifest } = await readPoint(repository, 'web01', times[0]);
	const pages = manifest.disks[0]?.root?.packId ?? '';
	const sizes = (await collect(store.list(keys.packs))).toSorted((a, b) => b.sizeBytes - a.sizeBytes);
	const data = sizes[0]?.key ?? '';
	return { store, repository, pages: keys.pack(pages), data };
}

async function findings(repository: Repository, options?: RepositoryVerifyOptions): Promise<string[]> {
	const found = await verifyRepository(repository, options);
	assert.equal(found.damaged, found.findings.filter(({ kind }) => kind === 'damage').length);
	return found.findings.map(lineOf).filter(line => !line.includes('pack_unindexed'));
}

const lineOf = ({ key, kind, code }: Finding) => `${kind} ${code} ${key}`;

test('`verifyRepository` of a whole repository finds nothing, and counts what it has read', async () => {
	const { repository, store } = await repositoryWithPoints();
	const found = await verifyRepository(repository);
	assert.deepEqual(found.findings, []);
	assert.equal(found.points, 3);
	assert.equal(found.packs, 4);
	assert.equal(found.chunks, 40 + 1 + 3 + 1);
	const packs = await collect(store.list(keys.packs));
	assert.ok(found.readBytes >= packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
});

test('`verifyRepository` names a pack with a bad chunk and the points that miss it; importing again heals', async () => {
	const { repository, store, data } = await repositoryWithPoints();
	await store.flipByte(data, 1000);
	const expected = [
		`damage chunk_bad ${data}`,
		`damage chunk_missing ${keys.point('web01', times[0])}`,
		`damage chunk_missing ${keys.point('web01', times[1])}`,
		`notice bad_place ${keys.badPlace(data.slice(-32), 0)}`,
	];
	assert.deepEqual((await findings(repository)).toSorted(), expected.toSorted());
	await new PackWriterOf(store).store(disk.subarray(0, 4096));
	assert.deepEqual((await findings(repository)).toSorted(), [
		`notice bad_place ${keys.badPlace(data.slice(-32), 0)}`,
		`notice chunk_replaced ${data}`,
	]);
});

class PackWriterOf {
	readonly #store: DamagingStore;
	constructor(store: DamagingStore) {
		this.#store = store;
	}
	async store(raw: Buffer): Promise<void> {
		const packs = new PackWriter(this.#store, { kind: 'chunk', packBytes: 1e6 });
		const { digest, stored } = await storedChunk(raw);
		await packs.append(digest, stored, raw.length);
		await packs.flush();
	}
}

test('`verifyRepository` names the points under a page that is bad, or gone with its pack', async () => {
	const { repository, store, pages } = await repositoryWithPoints();
	await store.flipByte(pages, 100);
	const found = await findings(repository);
	for (const time of times) assert.ok(found.includes(`damage chunk_bad ${keys.point('web01', time)}`));
	assert.ok(found.includes(`damage chunk_bad ${pages}`));
	await store.delete(pages);
	const gone = await findings(repository);
	for (const time of times) assert.ok(gone.includes(`damage chunk_missing ${keys.point('web01', time)}`));
});

test('`verifyRepository` names the points whose chunks are gone with their pack', async () => {
	const { repository, store, data } = await repositoryWithPoints();
	await store.delete(data);
	assert.deepEqual(
		await findings(repository),
		times.map(time => `damage chunk_missing ${keys.point('web01', time)}`),
	);
	const { findings: told } = await verifyRepository(repository);
	assert.match(told.at(-1)?.what ?? '', /^40 chunks of disk0 are lost/);
});

test('`verifyRepository` names a damaged footer, whose chunks are found by their places, and a pack of other bytes', async () => {
	const { repository, store, data } = await repositoryWithPoints();
	await store.flipByte(data, store.bytesOf(data).length - 1);
	assert.deepEqual(await findings(repository), [`damage format_damaged ${data}`]);
});

test('`verifyRepository` tells of more indexes than are looked at', async () => {
	const { repository, store } = await repositoryWithPoints();
	for (let index = 0; index < maxIndexes; index += 1)
		await store.putExclusive(keys.index(packNumber(index)), Buffer.alloc(0));
	assert.ok((await findings(repository)).includes(`notice index_surplus ${keys.indexes}`));
});

test('`verifyRepository` names what is wrong with header, copy, manifest, pin and intent', async () => {
	const { repository, store } = await repositoryWithPoints();
	const recoveryId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	const importId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	const { manifestDigest } = await readPoint(repository, 'web01', times[0]);
	await pinPoint(repository, { recoveryId, machine: 'web01', restorePoint: times[0], manifestDigest, reason: 'x' });
	const scope = { importId, machine: 'web01', moment: null, disks: [{ sizeBytes: 5 }] };
	const sizes = { chunkSizeBytes: 4096, frameSizeBytes: 16_384, base: null };
	await announceImport(store, { ...scope, ...sizes, time: '2026-11-22T03:00:00.000Z' });
	assert.deepEqual(await findings(repository), [`notice import_open ${keys.intent(importId)}`]);
	const point = keys.point('web01', times[0]);
	const all = [keys.header, keys.headerCopy, point, keys.pin(recoveryId), keys.intent(importId)];
	for (const key of all) {
		await store.flipByte(key, 40);
		assert.ok((await findings(repository)).includes(`damage format_damaged ${key}`), key);
		await store.repair(key);
	}
	await store.delete(keys.header);
	assert.ok((await findings(repository)).includes(`damage format_damaged ${keys.header}`));
	await store.repair(keys.header);
	await store.delete(keys.headerCopy);
	assert.ok((await findings(repository)).includes(`notice copy_missing ${keys.headerCopy}`));
	await store.replace(keys.headerCopy, (await repositoryWithPoints()).store.bytesOf(keys.header));
	assert.ok((await findings(repository)).includes(`damage format_damaged ${keys.headerCopy}`));
	const later = { type: 'rouse-repository', version: 2 };
	const sealed = canonicalJson({ ...later, checksum: sha256Of(Buffer.from(canonicalJson(later))) });
	await store.replace(keys.headerCopy, Buffer.from(sealed));
	assert.ok((await findings(repository)).includes(`damage repository_unsupported ${keys.headerCopy}`));
	await store.repair(keys.headerCopy);
	await store.delete(keys.intent(importId));
	await announceImport(store, { ...scope, ...sizes, time: times[0] });
	assert.deepEqual(await findings(repository), [`notice import_ended ${keys.intent(importId)}`]);
	await store.delete(point);
	assert.ok((await findings(repository)).includes(`notice pin_without_point ${keys.pin(recoveryId)}`));
});

test('`verifyRepository` tells of features and of keys that nobody knows', async () => {
	const { repository, store } = await repositoryWithPoints();
	const unknown = [
		'condemned/x',
		'intents/x',
		'journal/x/0000000000',
		'packs/00/ff',
		'pins/x',
		'points/WEB/20261120T030000.000Z',
		'points/web01/x',
		'readme.txt',
	];
	for (const key of unknown) await store.putExclusive(key, Buffer.from('x'));
	await store.putExclusive('features/write/x', Buffer.alloc(0));
	assert.deepEqual(await findings(repository), [
		'notice feature_unknown features/write/x',
		...unknown.map(key => `notice key_unknown ${key}`),
	]);
	assert.deepEqual(await listPins(repository), { pins: [], unreadable: [] });
});

test('`verifyRepository` reports a zero chunk', async () => {
	const { repository, store } = await repositoryWithPoints();
	await new PackWriterOf(store).store(Buffer.alloc(4096));
	assert.match((await findings(repository)).join(), /^notice zero_chunk packs\//);
});

test('`verifyRepository` proves marks again, and with `clear` takes those away that are wrong', async () => {
	const { repository, store, data } = await repositoryWithPoints();
	const bytes = store.bytesOf(data);
	const packId = data.slice(-32);
	const [first, second] = decodePackEnd(bytes.subarray(-(40 + 36 * 40 + 80)), packId, bytes.length).chunks;
	assert.ok(first && second);
	const marks = new BadPlaces(store);
	for (const { digest, offsetBytes, storedBytes } of [first, second])
		await marks.mark({ packId, digest, offsetBytes, storedBytes }, 'by a test');
	await marks.mark({ ...first, packId: 'ab'.repeat(16) }, 'its pack is gone');
	await store.flipByte(data, 1000);
	const mark = (offsetBytes: number) => keys.badPlace(packId, offsetBytes);
	const before = (await findings(repository)).filter(line => line.includes(' bad/')).toSorted();
	const expected = [
		`notice bad_place ${mark(0)}`,
		`notice mark_stale ${keys.badPlace('ab'.repeat(16), 0)}`,
		`notice mark_stale ${mark(second.offsetBytes)}`,
	];
	assert.deepEqual(before, expected.toSorted());
	await store.putExclusive('features/delete/x', Buffer.alloc(0));
	await assert.rejects(verifyRepository(repository, { clear: true }), { code: 'repository_unsupported' });
	await store.delete('features/delete/x');
	const { cleared } = await verifyRepository(repository, { clear: true });
	assert.equal(cleared, 2);
	assert.deepEqual(
		(await collect(store.list(keys.badPlaces))).map(({ key }) => key),
		[mark(0)],
	);
});

test('`verifyRepository` reads indexes whole, and names one of other chunks than the footers, and packs without one', async () => {
	const { repository, store, data } = await repositoryWithPoints();
	const unindexed = async () =>
		(await verifyRepository(repository)).findings.map(lineOf).filter(line => !line.startsWith('notice bad_place'));
	assert.deepEqual(await unindexed(), []);
	const indexes = (await collect(store.list(keys.indexes))).map(({ key }) => key);
	for (const key of indexes) {
		// In the records, the tables and the trailer.
		for (const at of [20, store.bytesOf(key).length - 160, store.bytesOf(key).length - 20]) {
			await store.flipByte(key, at);
			assert.ok((await unindexed()).includes(`damage format_damaged ${key}`), `${key} at ${at}`);
			await store.repair(key);
		}
		await store.delete(key);
	}
	const packs = (await collect(store.list(keys.packs))).map(({ key }) => `notice pack_unindexed ${key}`);
	assert.deepEqual(await unindexed(), packs);
	const packId = data.slice(-32);
	const sizeBytes = store.bytesOf(data).length;
	const footer = (await readPackFooter(store, { packId, sizeBytes })) ?? assert.fail();
	const draft = new IndexDraft();
	const [first, ...rest] = footer.chunks;
	draft.add({ footer: { ...footer, chunks: [{ ...(first ?? assert.fail()), offsetBytes: 1 }, ...rest] }, sizeBytes });
	const indexId = await draft.write(store, []);
	assert.deepEqual(await unindexed(), [`damage format_damaged ${keys.index(indexId)}`, ...packs]);
	const right = new IndexDraft();
	right.add({ footer, sizeBytes });
	const rightId = await right.write(store, [indexId]);
	const ofThese = async () => (await unindexed()).filter(line => line.includes(data) || line.includes(indexId));
	const wrong = `damage format_damaged ${keys.index(indexId)}`;
	assert.deepEqual(await ofThese(), [wrong, `notice index_superseded ${keys.index(indexId)}`]);
	await store.flipByte(keys.index(rightId), 20); // one that is damaged stands for no other
	assert.deepEqual(await ofThese(), [wrong, `notice pack_unindexed ${data}`]);
});

test('`verifyRepository` beside an import that merges indexes calls no pack one without an index', async () => {
	const { repository, store } = await repositoryWithPoints();
	const whole = new IndexDraft();
	const sizes = new Map((await collect(store.list(keys.packs))).map(({ key, sizeBytes }) => [key, sizeBytes]));
	for await (const footer of allPackFooters(store, ({ error }) => assert.fail(error)))
		whole.add({ footer, sizeBytes: sizes.get(keys.pack(footer.packId)) ?? assert.fail() });
	let reads = 0;
	const merging = hookedStore(store, async (call, key) => {
		// The listing of indexes has been made when the first of it is read.
		if (call !== 'read' || !key.startsWith(keys.indexes) || reads++ > 0) return;
		const merged = (await collect(store.list(keys.indexes))).map(one => one.key);
		await whole.write(
			store,
			merged.map(one => one.slice(keys.indexes.length)),
		);
		for (const one of merged) await store.delete(one);
	});
	assert.deepEqual((await verifyRepository({ ...repository, store: merging })).findings, []);
});

test('`verifyRepository` beside an import that ends tells of no journal that was left', async () => {
	const { repository, store } = await repositoryWithPoints();
	const importId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	await store.putExclusive(keys.journal(importId, 0), Buffer.from('journal'));
	const ending = hookedStore(store, async (_call, key) => {
		if (key === keys.intent(importId)) await store.delete(keys.journal(importId, 0));
	});
	assert.deepEqual(await findings({ ...repository, store: ending }), []);
});

test('`verifyRepository` reads journals, and tells of those that nothing announces', async () => {
	const { repository, store } = await repositoryWithPoints();
	const importId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	const attempt = 'ab'.repeat(16);
	const runs = [{ disk: 0, firstChunk: 0, count: 2, refs: undefined }];
	const journal = encodeJournal({ attempt, begins: { disk: 0, chunk: 0 }, runs }, { importId, number: 0 });
	const key = keys.journal(importId, 0);
	await store.putExclusive(key, journal);
	assert.deepEqual(await findings(repository), [`notice journal_left ${keys.journalOf(importId)}`]);
	const time = '2026-11-22T03:00:00.000Z';
	const sizes = { chunkSizeBytes: 4096, frameSizeBytes: 16_384 };
	const scope = { importId, machine: 'web01', time, moment: 'm', base: null, ...sizes };
	await announceImport(store, { ...scope, disks: [{ sizeBytes: 8192 }] });
	const open = `notice import_open ${keys.intent(importId)}`;
	assert.deepEqual(await findings(repository), [open]);
	await store.flipByte(key, 70);
	assert.deepEqual(await findings(repository), [open, `damage format_damaged ${key}`]);
	await store.delete(keys.intent(importId));
	assert.ok((await findings(repository)).includes(`damage format_damaged ${key}`));
	await store.repair(key);
	await announceImport(store, { ...scope, disks: [{ sizeBytes: 100 }] });
	assert.ok((await findings(repository)).includes(`damage format_damaged ${key}`)); // of more chunks than there are
});

test('`verifyRepository` calls an import dead whose process has ended, unless another may be going on with it', async () => {
	const { repository, store } = await repositoryWithPoints();
	const importId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	const scope = { importId, machine: 'web01', time: '2026-11-22T03:00:00.000Z', disks: [{ sizeBytes: 5 }] };
	const process = { hostname: hostname(), pid: 2 ** 31 - 1, startedAt: '2026-11-22T03:00:00.000Z' };
	for (const [moment, expected] of [
		[null, `notice import_ended ${keys.intent(importId)}`],
		['a moment', `notice import_open ${keys.intent(importId)}`],
	] as const) {
		const sizes = { chunkSizeBytes: 4096, frameSizeBytes: 16_384 };
		const intent = { ...scope, moment, base: null, ...sizes, ...process };
		await store.replace(keys.intent(importId), sealJson('rouse-intent', intent));
		assert.deepEqual(await findings(repository), [expected]);
	}
});

test('`verifyPacks` that finds more wrong chunks than it can ask for says so, and not that other packs have them', async () => {
	const { repository, store, data } = await repositoryWithPoints();
	const bytes = store.bytesOf(data);
	for (const at of [1000, 10_000]) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
	await store.replace(data, bytes);
	const bad = new BadPlaces(store);
	const chunks = new VerifiedChunks(new DirectChunkSource(store, systemClock, bad));
	const pages = new PagePlaces();
	const common = { repository, chunks, pages, bad, findings: new Findings(), onBytes: () => {}, clear: false };
	const work = { ...common, suspects: new Suspects(1) };
	const { wrong } = await verifyPacks(work);
	await work.suspects.settle(store);
	for (const pack of wrong) tellOfWrongChunks(work, pack);
	assert.deepEqual(work.findings.list.map(lineOf), [`damage chunk_bad ${data}`, `damage chunk_bad ${data}`]);
	assert.match(work.findings.list[0]?.what ?? '', /^1 of its 40 chunks are lost/);
	assert.match(work.findings.list[1]?.what ?? '', /^1 of its 40 chunks are damaged, .* nobody has asked/);
});

test('`verifyRepository` of a store that goes away meanwhile is `store_unreachable`: neither whole nor damaged', async () => {
	for (const from of [keys.packs, keys.points]) {
		const { repository, store } = await repositoryWithPoints();
		const leaving = hookedStore(store, async (call, prefix) => {
			if (call === 'list' && prefix === from)
				for (const { key } of await collect(store.list(''))) await store.delete(key);
		});
		await assert.rejects(verifyRepository({ ...repository, store: leaving }), { code: 'store_unreachable' }, from);
	}
});

test('`Findings` that are too many lose notices before they lose damage', () => {
	const few = new Findings(2);
	for (const key of ['a', 'b', 'c']) few.notice(key, 'key_unknown', '', '');
	few.damage('d', 'chunk_bad', '', '');
	assert.deepEqual(few.list.map(lineOf), ['notice key_unknown a', 'damage chunk_bad d']);
	for (const key of ['e', 'f']) few.damage(key, 'chunk_bad', '', '');
	assert.deepEqual(few.list.map(lineOf), ['damage chunk_bad d', 'damage chunk_bad e']);
	assert.deepEqual([few.damaged, few.leftOut], [3, 4]);
});
