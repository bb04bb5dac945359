import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactBytes } from '../../model/format-bytes.ts';

test('`exactBytes` adds the exact number wherever the short one hides something of it', () => {
	const cases: [bytes: number, text: string][] = [
		[0, '0 bytes'],
		[1, '1 byte'],
		[1023, '1023 bytes'],
		[2 ** 30, '1.00 GiB'],
		[1.5 * 2 ** 30, '1.50 GiB'],
		[2 ** 30 + 1, '1.00 GiB (1073741825 bytes)'],
		[2 ** 30 - 1, '1023 MiB (1073741823 bytes)'],
		[2 ** 50, '1.00 PiB'],
	];
	for (const [bytes, text] of cases) assert.equal(exactBytes(bytes), text);
});
