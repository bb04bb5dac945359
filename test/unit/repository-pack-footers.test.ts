import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { encodePackEnd, decodePackEnd } from '../../repository/format/pack.ts';
import { keys } from '../../repository/format/keys.ts';
import { allPackFooters } from '../../repository/pack-footers.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { collect } from '../equipment/repositories.ts';

const packIds = ['a', 'b', 'c'].map(digit => digit.repeat(32));

/** The first pack answers after all others have failed. */
class LaterFailsFirst extends MemoryStore {
	override async read(key: string, offsetBytes: number, into: Uint8Array): Promise<number | undefined> {
		if (key !== keys.pack(packIds[0] ?? '')) throw new RouseError('store_unreachable', `${key}: EIO`);
		for (let turn = 0; turn < 5; turn++) await setImmediate();
		return super.read(key, offsetBytes, into);
	}
}

test('`allPackFooters` with a footer that fails while an earlier one is waited for throws it, and ends no process', async () => {
	const store = new LaterFailsFirst();
	for (const packId of packIds) await store.putExclusive(keys.pack(packId), encodePackEnd({ packId, chunks: [] }));
	// A rejection that nobody looks at would fail this test as well: it ends the process.
	await assert.rejects(collect(allPackFooters(store, () => {})), { code: 'store_unreachable' });
});

test('`decodePackEnd` with a chunk larger than chunks are is `format_damaged`, though its checksum holds', () => {
	const packId = '1'.repeat(32);
	const digest = createHash('sha256').digest('hex');
	const most = 16 * 1024 * 1024;
	const decode = (storedBytes: number, rawBytes: number) => {
		const end = encodePackEnd({ packId, chunks: [{ digest, offsetBytes: 0, storedBytes, rawBytes }] });
		return decodePackEnd(end, packId, storedBytes + end.length);
	};
	assert.equal(decode(most + 1, most).chunks.length, 1);
	assert.throws(() => decode(most + 2, most), { code: 'format_damaged' });
	assert.throws(() => decode(100, most + 1), { code: 'format_damaged' });
});
