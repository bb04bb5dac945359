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
