import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { locatorItem } from '../../vhdx/parent-locator.ts';
import { parseLocator } from '../../vhdx/parse-locator.ts';

const file = { name: 'child.vhdx' };
const linkage = '01234567-89ab-cdef-0123-456789abcdef';
const relativePath = '.\\base.vhdx';

/** As long as one may be, with 20,000 entries: each has a key of its own, and for its value 64 KiB that most share. */
function itemOfOverlaps(): Buffer {
	const bytes = Buffer.alloc(2 ** 20, 1);
	const textsAt = 20 + 20_000 * 12;
	item().copy(bytes, 0, 0, 18);
	bytes.writeUInt16LE(20_000, 18);
	for (let entry = 0; entry < 20_000; entry++) {
		const at = 20 + entry * 12;
		const keyAt = textsAt + entry * 2;
		bytes.writeUInt16LE(entry + 1, keyAt);
		bytes.writeUInt32LE(keyAt, at);
		bytes.writeUInt32LE(keyAt, at + 4);
		bytes.writeUInt16LE(2, at + 8);
		bytes.writeUInt16LE(0xfffe, at + 10);
	}
	return bytes;
}

function itemOfLongKeys(): Buffer {
	const bytes = Buffer.alloc(16_384, 'k\0');
	item().copy(bytes, 0, 0, 18);
	bytes.writeUInt16LE(2, 18);
	for (const at of [20, 32]) {
		for (const place of [at, at + 4]) bytes.writeUInt32LE(44, place);
		for (const length of [at + 8, at + 10]) bytes.writeUInt16LE(4000, length);
	}
	return bytes;
}

/** The item with a change of it; entries of 12 bytes begin at 20, in the order of the keys below. */
function item(change: (bytes: Buffer) => void = () => {}): Buffer {
	const bytes = Buffer.from(locatorItem({ linkage, relativePath }));
	change(bytes);
	return bytes;
}

function textAt(bytes: Buffer, text: string): number {
	return bytes.indexOf(text, 0, 'utf16le');
}

describe('`locatorItem`', () => {
	it('writes GUIDs in lower case and braces, and the second linkage as zeros, like Hyper-V', () => {
		const bytes = Buffer.from(locatorItem({ linkage: linkage.toUpperCase(), relativePath }));
		const text = bytes.subarray(textAt(bytes, 'parent_linkage')).toString('utf16le');
		const zeros = '00000000-0000-0000-0000-000000000000';
		assert.equal(text, `parent_linkage{${linkage}}parent_linkage2{${zeros}}relative_path${relativePath}`);
	});

	it('takes no linkage that is none', () => {
		assert.throws(() => locatorItem({ linkage: 'base', relativePath }), RangeError);
	});
});

describe('`parseLocator`', () => {
	it('takes GUIDs in any case, leaves out a linkage of zeros and keys that are not known', () => {
		const bytes = item(found => void found.write(`{${linkage.toUpperCase()}}`, textAt(found, '{0123'), 'utf16le'));
		assert.deepEqual(parseLocator(file, bytes), { linkage, relativePath });
		const other = item(found => void found.write('qarent', textAt(found, 'parent_linkage2'), 'utf16le'));
		assert.deepEqual(parseLocator(file, other), { linkage, relativePath });
	});

	const refusals: [string, Buffer, RegExp][] = [
		['an item that is too short', item().subarray(0, 19), /19 bytes/],
		['a reserved field that is used', item(bytes => void bytes.writeUInt16LE(1, 16)), /reserved/],
		['more entries than fit', item(bytes => void bytes.writeUInt16LE(2000, 18)), /no room for 2000 entries/],
		['a text with an odd length', item(bytes => void bytes.writeUInt16LE(5, 28)), /text of 5 bytes/],
		['a text without a length', item(bytes => void bytes.writeUInt16LE(0, 30)), /text of 0 bytes/],
		['a text behind the end', item(bytes => void bytes.writeUInt32LE(2 ** 31, 24)), /at offset 2147483648/],
		['a text with a zero', item(bytes => void bytes.writeUInt16LE(0, textAt(bytes, relativePath))), /zero in it/],
		['texts that overlap, before they fill the memory', itemOfOverlaps(), /texts that overlap/],
		['a long key twice, in few words', itemOfLongKeys(), /^.{1,120}" twice$/],
		['a key twice', item(bytes => void bytes.copyWithin(32, 20, 32)), /"parent_linkage" twice/],
		[
			'a linkage that is no GUID',
			item(bytes => void bytes.write('{x', textAt(bytes, '{0123'), 'utf16le')),
			/no GUID as parent_linkage$/,
		],
		[
			'a second linkage that is no GUID',
			item(bytes => void bytes.write('{x', textAt(bytes, '{0000'), 'utf16le')),
			/no GUID as parent_linkage2$/,
		],
		['no path', item(bytes => void bytes.write('q', textAt(bytes, 'relative_path'), 'utf16le')), /no path/],
	];
	for (const [what, bytes, message] of refusals)
		it(`refuses ${what}`, () => {
			assert.throws(() => parseLocator(file, bytes), { code: 'source_invalid', message });
		});
});
