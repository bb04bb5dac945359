import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplyBuffer } from '../../nbd/server/reply-buffer.ts';

test('`ReplyBuffer` frees what was appended when all that was taken is written, and once', () => {
	const replies = new ReplyBuffer();
	let freed = 0;
	replies.append(Buffer.alloc(10), () => (freed += 1));
	replies.recycle();
	assert.equal(freed, 0, 'it was not even taken');
	replies.take();
	assert.equal(freed, 0, 'it may not be written yet');
	replies.recycle();
	replies.recycle();
	assert.equal(freed, 1);
});

test('`ReplyBuffer.recycle` gives back what was written, and not what was added since', () => {
	const replies = new ReplyBuffer();
	const freed: number[] = [];
	const add = (number: number) => {
		const at = replies.reserve(200_000); // a slab each
		replies.slab.fill(number, at, at + 200_000);
		replies.commit(200_000);
		replies.append(Buffer.alloc(10), () => freed.push(number));
	};
	add(1);
	const [first] = replies.take();
	add(2);
	add(3);
	replies.recycle();
	assert.deepEqual(freed, [1]);
	add(4);
	const later = replies.take();
	assert.deepEqual(
		later.filter(({ length }) => length > 10).map(bytes => new Set(bytes)),
		[2, 3, 4].map(number => new Set([number])),
	);
	assert.ok(later.every(({ buffer }) => buffer !== first?.buffer) || first?.every(byte => byte === 4));
});
