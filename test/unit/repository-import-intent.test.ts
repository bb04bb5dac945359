import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { findInterrupted } from '../../repository/import/find-interrupted.ts';
import { announceImport, type ImportScope, readIntent } from '../../repository/import/intent.ts';
import { removeImport, removeLeftJournals } from '../../repository/import/remove-import.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { hasEnded } from '../../system/has-ended.ts';
import { waitFor } from '../../system/wait.ts';
import { collect, DamagingStore, LosingStore } from '../equipment/repositories.ts';

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const otherId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const same = {
	machine: 'web01',
	moment: 'then',
	disks: [{ sizeBytes: 1000 }],
	chunkSizeBytes: 4096,
	frameSizeBytes: 16_384,
	base: null,
};
const scope: ImportScope = { ...same, importId, time: '2026-11-20T03:00:00.000Z' };

/** What is begun afterwards has another time. */
function leaveMoment(at: string): void {
	while (new Date().toISOString() === at);
}

async function keysIn(store: MemoryStore): Promise<string[]> {
	return (await collect(store.list(''))).map(({ key }) => key);
}

test('`announceImport` again answers with the intent that stands', async () => {
	const store = new MemoryStore();
	const first = await announceImport(store, scope);
	assert.equal(first.hostname, hostname());
	assert.deepEqual(await announceImport(store, scope), first);
	assert.deepEqual(await readIntent(store, importId), first);
});

const others: [string, Partial<ImportScope>][] = [
	['moment', { moment: 'now' }],
	['moment that nothing tells', { moment: null }],
	['machine', { machine: 'db01' }],
	['time', { time: '2026-11-21T03:00:00.000Z' }],
	['number of disks', { disks: [{ sizeBytes: 1000 }, { sizeBytes: 1000 }] }],
	['size of a disk', { disks: [{ sizeBytes: 1001 }] }],
	['size of chunks', { chunkSizeBytes: 8192 }],
	['size of frames', { frameSizeBytes: 32_768 }],
];

for (const [what, other] of others)
	test(`\`announceImport\` of an import that stands with another ${what} is \`identity_conflict\``, async () => {
		const store = new MemoryStore();
		const standing = await announceImport(store, scope);
		await assert.rejects(announceImport(store, { ...scope, ...other }), { code: 'identity_conflict' });
		assert.deepEqual(await readIntent(store, importId), standing);
	});

test('`announceImport` of an import without a moment is `identity_conflict` when that was begun before', async () => {
	const store = new MemoryStore();
	const { startedAt } = await announceImport(store, { ...scope, moment: null });
	leaveMoment(startedAt);
	await assert.rejects(announceImport(store, { ...scope, moment: null }), { code: 'identity_conflict' });
});

test('`announceImport` whose answer was lost has announced it', async () => {
	class Forgetful extends MemoryStore {
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			await super.putExclusive(key, data);
			return false;
		}
	}
	const intent = await announceImport(new Forgetful(), { ...scope, moment: null });
	assert.equal(intent.pid, process.pid);
});

test('`readIntent` of what is another import by its key is `format_damaged`', async () => {
	const store = new DamagingStore();
	await announceImport(store, scope);
	await store.replace(keys.intent(otherId), store.bytesOf(keys.intent(importId)));
	await assert.rejects(readIntent(store, otherId), { code: 'format_damaged', message: /is the intent of/ });
});

test('`findInterrupted` finds the latest import of the same source whose process is gone', async () => {
	const store = new LosingStore();
	const isGone = async () => true;
	assert.equal(await findInterrupted(store, same, { isGone }), undefined);
	await announceImport(store, scope);
	leaveMoment(new Date().toISOString());
	const later = { ...scope, importId: otherId, time: '2026-11-21T03:00:00.000Z' };
	const latest = await announceImport(store, later);
	assert.deepEqual(await findInterrupted(store, same, { isGone }), latest);
	const ofFirst = await findInterrupted(store, same, { isGone, time: scope.time });
	assert.equal(ofFirst?.importId, importId);
	assert.equal(await findInterrupted(store, same, { isGone, time: '2026-11-22T03:00:00.000Z' }), undefined);
	for (const { key, ...other } of [
		{ key: 'machine', machine: 'db01' },
		{ key: 'moment', moment: 'now' },
		{ key: 'disks', disks: [{ sizeBytes: 999 }] },
		{ key: 'chunks', chunkSizeBytes: 8192 },
		{ key: 'frames', frameSizeBytes: 32_768 },
	])
		assert.equal(await findInterrupted(store, { ...same, ...other }, { isGone }), undefined, key);
	store.lost = keys.intent(otherId);
	assert.equal((await findInterrupted(store, same, { isGone }))?.importId, importId);
	store.lost = undefined;
	await store.flipByte(keys.intent(otherId), 20);
	assert.equal((await findInterrupted(store, same, { isGone }))?.importId, importId);
});

test('`findInterrupted` leaves alone what a process of this host still does, and what another host has begun', async () => {
	const store = new MemoryStore();
	await announceImport(store, scope);
	assert.equal(await findInterrupted(store, same), undefined);
	const isGone = async ({ hostname: host }: { hostname: string }) => host !== hostname();
	assert.equal(await findInterrupted(store, same, { isGone }), undefined);
});

test('`hasEnded` knows a process by its pid and by when it was there', async () => {
	assert.equal(await hasEnded(process.pid, new Date()), false);
	assert.equal(await hasEnded(1, new Date()), false);
	assert.equal(await hasEnded(2 ** 22 + 1, new Date()), true);
	const beforeUs = new Date(performance.timeOrigin - 60_000);
	assert.equal(await hasEnded(process.pid, beforeUs), true);
});

test('`hasEnded` takes a zombie for what it is', async t => {
	// What sh becomes waits for no child.
	const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
	t.after(() => parent.kill());
	const [said] = await once(parent.stdout, 'data');
	const pid = Number(String(said));
	await waitFor('it to end', async () => hasEnded(pid, new Date()), { timeoutMs: 20_000, everyMs: 10 });
	assert.equal(process.kill(pid, 0), true, 'it is there');
});

test('`removeImport` removes the journal from its end on, and then the intent', async () => {
	const removed: string[] = [];
	class Watched extends MemoryStore {
		override async delete(key: string): Promise<void> {
			removed.push(key);
			await super.delete(key);
		}
	}
	const store = new Watched();
	await announceImport(store, scope);
	const journals = [0, 1, 2].map(number => keys.journal(importId, number));
	for (const key of [...journals, keys.journal(otherId, 0)]) await store.putExclusive(key, Buffer.alloc(1));
	await removeImport(store, importId);
	assert.deepEqual(removed, [...journals.toReversed(), keys.intent(importId)]);
	assert.deepEqual(await keysIn(store), [keys.journal(otherId, 0)]);
});

test('`removeLeftJournals` removes journals without an intent, also of an import that begins meanwhile none', async () => {
	class Beginning extends MemoryStore {
		override async *list(prefix: string, signal?: AbortSignal) {
			yield* super.list(prefix, signal);
			if (prefix !== keys.journals) return;
			await announceImport(this, { ...scope, importId: otherId });
			await this.putExclusive(keys.journal(otherId, 0), Buffer.alloc(1));
		}
	}
	const store = new Beginning();
	const third = '2b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	await announceImport(store, scope);
	for (const id of [importId, third]) await store.putExclusive(keys.journal(id, 7), Buffer.alloc(1));
	await removeLeftJournals(store);
	assert.deepEqual(
		(await keysIn(store)).filter(key => key.startsWith(keys.journals)),
		[keys.journal(importId, 7), keys.journal(otherId, 0)],
	);
});

test('`removeLeftJournals` where an unknown feature forbids to delete is `repository_unsupported`, when there is one', async () => {
	const store = new MemoryStore();
	await store.putExclusive(`${keys.features}delete/fences`, Buffer.alloc(0));
	await removeLeftJournals(store);
	await store.putExclusive(keys.journal(importId, 0), Buffer.alloc(1));
	await assert.rejects(removeLeftJournals(store), { code: 'repository_unsupported' });
	assert.ok((await keysIn(store)).includes(keys.journal(importId, 0)));
});
