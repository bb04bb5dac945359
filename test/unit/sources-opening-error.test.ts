import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openingError } from '../../sources/opening-error.ts';

test('`openingError` of a VHDX whose log was not replayed says what to do', () => {
	// As QEMU 7.2 says it: block/vhdx-log.c.
	const stderr =
		"qemu-img: Could not open 'json:{}': VHDX image file '/image/0/a.vhdx' opened read-only, but contains a log that needs to be replayed\nTo replay the log, run:\nqemu-img check -r all '/image/0/a.vhdx'\n";
	const error = openingError('/x/a.vhdx', stderr, []);
	assert.equal(error.code, 'source_invalid');
	assert.match(error.message, /^\/x\/a\.vhdx was not closed: what was written last is still in its log$/);
	assert.match(error.hint ?? '', /qemu-img check -r all -f vhdx/);
});
