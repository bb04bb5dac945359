import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { initStore, openStore } from '../../repository/repository.ts';
import { writeMissingCopy } from '../../repository/stored-header.ts';
import { DamagingStore, memoryRepository } from '../equipment/repositories.ts';

async function repositoryIn(store = new DamagingStore()) {
	return { store, id: (await memoryRepository(4096, store)).id };
}

test('`openStore` with a damaged header, or none, opens by the copy', async () => {
	const { store, id } = await repositoryIn();
	await store.flipByte(keys.header, 30);
	assert.equal((await openStore(store)).id, id);
	await store.delete(keys.header);
	assert.equal((await openStore(store)).id, id);
	await store.flipByte(keys.headerCopy, 30);
	await assert.rejects(openStore(store), { code: 'format_damaged', message: /copy/ });
});

test('`openStore` with header and copy damaged is `format_damaged`, and the copy alone does no harm', async () => {
	const { store, id } = await repositoryIn();
	await store.flipByte(keys.headerCopy, 30);
	assert.equal((await openStore(store)).id, id);
	await store.flipByte(keys.header, 30);
	await assert.rejects(openStore(store), { code: 'format_damaged', message: /^rouse-repository / });
});

test('`openStore` with two whole headers that differ takes the first', async () => {
	const { store, id } = await repositoryIn();
	const other = await repositoryIn();
	await store.replace(keys.headerCopy, other.store.bytesOf(keys.header));
	assert.equal((await openStore(store)).id, id);
});

test('`initStore` of a store that has a header, or its copy alone, is `repository_exists`, and changes nothing', async () => {
	const { store } = await repositoryIn();
	await assert.rejects(initStore(store), { code: 'repository_exists' });
	await store.delete(keys.header);
	await assert.rejects(initStore(store), { code: 'repository_exists' });
	assert.equal(await store.size(keys.header), undefined);
});

test('`openStore` of version 0 is `repository_unsupported` and says what to do, also beside a copy', async () => {
	const { store } = await repositoryIn();
	// Written by version 0.
	const header =
		'{"checksum":"fcbbcec012cffdf37849bd2e2152e73ad6c7a7bcbc62bd708c6cb59d4651773e","chunkSizeBytes":131072,"digest":"sha256","features":[],"id":"0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11","type":"rouse-repository","version":0}';
	await store.replace(keys.header, Buffer.from(header));
	await assert.rejects(openStore(store), {
		code: 'repository_unsupported',
		exitCode: 10,
		message: /version 0: of before the first release/,
		hint: /import the machines again/,
	});
});

test('`writeMissingCopy` writes the copy where it is missing, with the bytes of the header', async () => {
	const { store } = await repositoryIn();
	await store.delete(keys.headerCopy);
	await writeMissingCopy(store);
	const bytes = Buffer.alloc(store.bytesOf(keys.header).length + 1);
	assert.equal(await store.read(keys.headerCopy, 0, bytes), bytes.length - 1);
	assert.deepEqual(bytes.subarray(0, -1), store.bytesOf(keys.header));
	await writeMissingCopy(store);
	await store.delete(keys.headerCopy);
	await store.flipByte(keys.header, 30);
	await assert.rejects(writeMissingCopy(store), { code: 'format_damaged' });
	assert.equal(await store.size(keys.headerCopy), undefined);
});
