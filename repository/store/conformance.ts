import assert from 'node:assert/strict';
import type { Store } from './contract.ts';

/** One fact about a store, named as the fact. Throws when it does not hold. The store is empty at the start. */
export interface StoreCheck {
	name: string;
	run(store: Store): Promise<void>;
}

const text = (content: string) => Buffer.from(content);

async function readAll(store: Store, key: string): Promise<string | undefined> {
	const sizeBytes = await store.size(key);
	if (sizeBytes === undefined) return undefined;
	const into = Buffer.alloc(sizeBytes);
	assert.equal(await store.read(key, 0, into), sizeBytes);
	return into.toString();
}

/** Whose reason must be what a call rejects with. */
function abortedSignal(): AbortSignal {
	return AbortSignal.abort(new Error('given up'));
}

/** As both listings say. */
async function keysOf(store: Store, prefix: string): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of store.list(prefix)) keys.push(key);
	const alone: string[] = [];
	for await (const key of store.listKeys(prefix)) alone.push(key);
	assert.deepEqual(alone, keys);
	return keys;
}

/** What every store must do (contract.ts): run over each implementation, each check with a new, empty store. */
export const storeChecks: readonly StoreCheck[] = [
	{
		name: 'what was put is read back',
		async run(store) {
			assert.equal(await store.putExclusive('packs/ab/abc', text('content')), true);
			assert.equal(await readAll(store, 'packs/ab/abc'), 'content');
			assert.equal(await store.size('packs/ab/abc'), 7);
		},
	},
	{
		name: 'a put does not keep the buffer it was given',
		async run(store) {
			const data = text('content');
			await store.putExclusive('key', data);
			data.fill(0);
			assert.equal(await readAll(store, 'key'), 'content');
		},
	},
	{
		name: 'a second put of a key is refused and changes nothing',
		async run(store) {
			await store.putExclusive('key', text('first'));
			assert.equal(await store.putExclusive('key', text('second, longer')), false);
			assert.equal(await readAll(store, 'key'), 'first');
			assert.deepEqual(await keysOf(store, ''), ['key']);
		},
	},
	{
		name: 'of many puts of one key at once exactly one succeeds, and whole',
		async run(store) {
			const contents = Array.from({ length: 8 }, (_, writer) => String(writer).repeat(100_000));
			const puts = await Promise.all(contents.map(content => store.putExclusive('a/key', text(content))));
			assert.equal(puts.filter(Boolean).length, 1);
			assert.equal(await readAll(store, 'a/key'), contents[puts.indexOf(true)]);
		},
	},
	{
		name: 'an empty object is an object',
		async run(store) {
			assert.equal(await store.putExclusive('empty', text('')), true);
			assert.equal(await store.size('empty'), 0);
			assert.equal(await store.read('empty', 0, Buffer.alloc(4)), 0);
		},
	},
	{
		name: 'a read gives what of the range exists',
		async run(store) {
			await store.putExclusive('key', text('0123456789'));
			const into = Buffer.alloc(4, '-');
			assert.equal(await store.read('key', 3, into), 4);
			assert.equal(into.toString(), '3456');
			into.fill('-');
			assert.equal(await store.read('key', 8, into), 2);
			assert.equal(into.toString(), '89--');
			assert.equal(await store.read('key', 10, into), 0);
			assert.equal(await store.read('key', 5_000_000_000, into), 0);
			into.fill(0);
			const now = store.readNow?.('key', 3, into);
			assert.ok(now === undefined || (now === 4 && into.equals(Buffer.from('3456'))), `${now}`);
			assert.equal(store.readNow?.('other', 0, into), undefined);
		},
	},
	{
		name: 'what is not there is undefined, not an error',
		async run(store) {
			await store.putExclusive('folder/key', text('content'));
			for (const key of ['nothing', 'no/such/key', 'folder/key/below']) {
				assert.equal(await store.size(key), undefined, key);
				assert.equal(await store.read(key, 0, Buffer.alloc(1)), undefined, key);
			}
		},
	},
	{
		name: 'a listing is sorted by key and has every object below the prefix once',
		async run(store) {
			const keys = ['a', 'p/a-b', 'p/a/b', 'p/a/c/d', 'p/b', 'p/20261120T030000.000Z', 'pa', 'q/x'];
			for (const key of keys.toReversed()) await store.putExclusive(key, text(key));
			assert.deepEqual(await keysOf(store, ''), keys.toSorted());
			assert.deepEqual(await keysOf(store, 'p/'), keys.filter(key => key.startsWith('p/')).toSorted());
			assert.deepEqual(await keysOf(store, 'p/a'), ['p/a-b', 'p/a/b', 'p/a/c/d']);
			assert.deepEqual(await keysOf(store, 'p/a/'), ['p/a/b', 'p/a/c/d']);
			assert.deepEqual(await keysOf(store, 'p/a/c'), ['p/a/c/d']);
			assert.deepEqual(await keysOf(store, 'nothing/'), []);
		},
	},
	{
		name: 'a listing tells sizes',
		async run(store) {
			await store.putExclusive('p/a', text('12345'));
			for await (const { sizeBytes } of store.list('p/')) assert.equal(sizeBytes, 5);
		},
	},
	{
		name: 'leaving a listing early is allowed',
		async run(store) {
			for (const key of ['a/1', 'a/2', 'b/1']) await store.putExclusive(key, text(key));
			for await (const { key } of store.list('')) {
				assert.equal(key, 'a/1');
				break;
			}
			for await (const key of store.listKeys('')) {
				assert.equal(key, 'a/1');
				break;
			}
			assert.deepEqual(await keysOf(store, 'b/'), ['b/1']);
		},
	},
	{
		name: 'what was deleted is gone, and deleting it again succeeds',
		async run(store) {
			await store.putExclusive('a/key', text('content'));
			assert.equal(await store.read('a/key', 0, Buffer.alloc(1)), 1);
			await store.delete('a/key');
			await store.delete('a/key');
			await store.delete('never/there');
			assert.equal(await store.size('a/key'), undefined);
			assert.deepEqual(await keysOf(store, ''), []);
		},
	},
	{
		name: 'a deleted key can be used again',
		async run(store) {
			await store.putExclusive('a/key', text('old'));
			await store.delete('a/key');
			assert.equal(await store.putExclusive('a/key', text('new')), true);
			assert.equal(await store.size('a/key'), 3);
		},
	},
	{
		name: 'a key that leads out of the store is refused',
		async run(store) {
			for (const key of ['', '/etc/passwd', '../outside', 'a/../../outside', 'a//b', 'a/', '.hidden', 'a\0b'])
				await assert.rejects(store.putExclusive(key, text('x')), { code: 'internal' }, JSON.stringify(key));
		},
	},
	{
		name: 'many reads at once do not disturb each other',
		async run(store) {
			const objects = Array.from({ length: 80 }, (_, number) => `packs/${number}`);
			for (const key of objects) await store.putExclusive(key, text(key.padEnd(100_000, key)));
			await Promise.all(
				[...objects, ...objects].map(async key => {
					assert.equal(await readAll(store, key), key.padEnd(100_000, key));
				}),
			);
		},
	},
	{
		name: 'a call with a signal that is aborted ends with its reason, and has done nothing',
		async run(store) {
			await store.putExclusive('a/key', text('content'));
			const signal = abortedSignal();
			const into = Buffer.alloc(7);
			const reason = { message: 'given up' };
			await assert.rejects(store.putExclusive('a/new', text('content'), signal), reason);
			await assert.rejects(store.read('a/key', 0, into, signal), reason);
			await assert.rejects(store.size('a/key', signal), reason);
			for (const prefix of ['', 'nothing/'])
				for (const listing of [store.list(prefix, signal), store.listKeys(prefix, signal)])
					await assert.rejects(async () => {
						for await (const _ of listing);
					}, reason);
			assert.deepEqual(await keysOf(store, ''), ['a/key']);
			assert.ok(into.every(byte => byte === 0));
			assert.equal(await readAll(store, 'a/key'), 'content');
		},
	},
	{
		name: 'an abort in a listing ends it',
		async run(store) {
			for (const key of ['a/1', 'a/2', 'b/1']) await store.putExclusive(key, text(key));
			for (const list of ['list', 'listKeys'] as const) {
				const abort = new AbortController();
				let listed = 0;
				const listing = async () => {
					for await (const _ of store[list]('', abort.signal)) {
						listed += 1;
						abort.abort(new Error('given up'));
					}
				};
				await assert.rejects(listing(), { message: 'given up' });
				assert.equal(listed, 1);
			}
		},
	},
	{
		name: 'a put that is aborted under way leaves nothing, or the whole object and true',
		async run(store) {
			const content = 'content of some size, '.repeat(200_000);
			for (let turns = 0; turns < 12; turns += 1) {
				const abort = new AbortController();
				const putting = store.putExclusive(`a/${turns}`, text(content), abort.signal).catch((error: unknown) => error);
				for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
				abort.abort(new Error('given up'));
				const put = await putting;
				if (put !== true) assert.ok(put instanceof Error && put.message === 'given up', String(put));
				assert.equal(await readAll(store, `a/${turns}`), put === true ? content : undefined);
				assert.equal(await store.putExclusive(`a/${turns}`, text(content)), put !== true);
			}
		},
	},
	{
		name: 'an object that is written piece by piece is there, whole, when it is finished and not before',
		async run(store) {
			const writer = await store.create('packs/aa/1');
			const piece = text('a piece');
			await writer.append(piece);
			piece.fill(0); // it may be used again
			await writer.append(text(', another'));
			assert.equal(await readAll(store, 'packs/aa/1'), undefined);
			assert.deepEqual(await keysOf(store, ''), []);
			assert.equal(await writer.finish(), true);
			await writer.abandon();
			assert.equal(await readAll(store, 'packs/aa/1'), 'a piece, another');
			assert.equal(await store.putExclusive('packs/aa/1', text('x')), false);
		},
	},
	{
		name: 'an object that is abandoned, or whose key was taken meanwhile, leaves nothing',
		async run(store) {
			const given = await store.create('packs/aa/1');
			await given.append(text('given up'));
			await given.abandon();
			await given.abandon();
			assert.deepEqual(await keysOf(store, ''), []);
			const late = await store.create('packs/aa/1');
			await late.append(text('late'));
			assert.equal(await store.putExclusive('packs/aa/1', text('first')), true);
			assert.equal(await late.finish(), false);
			assert.equal(await readAll(store, 'packs/aa/1'), 'first');
		},
	},
	{
		name: 'an object that is being written ends with the reason of its signal',
		async run(store) {
			const abort = new AbortController();
			const writer = await store.create('key', abort.signal);
			await writer.append(text('content'));
			abort.abort(new Error('given up'));
			await assert.rejects(writer.append(text('more')), { message: 'given up' });
			await assert.rejects(writer.finish(), { message: 'given up' });
			await writer.abandon();
			await assert.rejects(store.create('key', abort.signal), { message: 'given up' });
			assert.deepEqual(await keysOf(store, ''), []);
		},
	},
	{
		name: 'names are settled, also where nothing is',
		async run(store) {
			await store.putExclusive('a/b/c', text('content'));
			for (const prefix of ['', 'a/', 'a/b/', 'nothing/here/']) await store.settle(prefix);
			await assert.rejects(store.settle('a/', abortedSignal()), { message: 'given up' });
			assert.equal(await readAll(store, 'a/b/c'), 'content');
		},
	},
	{
		name: 'closing twice is allowed',
		async run(store) {
			await store.putExclusive('key', text('content'));
			assert.equal(await store.read('key', 0, Buffer.alloc(1)), 1);
			await store.close();
			await store.close();
		},
	},
];
