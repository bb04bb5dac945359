import { exactBytes } from '../model/format-bytes.ts';
import { isGuid } from '../model/guid.ts';
import { type ByteSource, refused } from './byte-source.ts';
import { vhdxLocatorType } from './constants.ts';
import { FieldReader } from './field-reader.ts';
import { locatorEntryBytes, locatorHeadBytes, locatorKeys, noGuid, type ParentLocator } from './parent-locator.ts';

/** Of a text that somebody else wrote, in characters: enough for each key that there is. */
const longestShown = 32;

/** Keys that are not known are left out. Throws `source_invalid`. */
export function parseLocator(source: Pick<ByteSource, 'name'>, bytes: Uint8Array): ParentLocator {
	const pairs = pairsOf(source, bytes);
	const wrong = (what: string) => refused(source, `its parent locator ${what}`);
	const linkage = guidIn(pairs.get(locatorKeys.linkage));
	if (linkage === undefined) throw wrong(`has no GUID as ${locatorKeys.linkage}`);
	const other = pairs.get(locatorKeys.otherLinkage);
	const otherLinkage = guidIn(other);
	if (other !== undefined && otherLinkage === undefined) throw wrong(`has no GUID as ${locatorKeys.otherLinkage}`);
	const relativePath = pairs.get(locatorKeys.relativePath);
	const volumePath = pairs.get(locatorKeys.volumePath);
	const absolutePath = pairs.get(locatorKeys.absolutePath);
	if ((relativePath ?? volumePath ?? absolutePath) === undefined) throw wrong('has no path');
	return {
		linkage,
		...(otherLinkage !== undefined && otherLinkage !== noGuid && { otherLinkage }),
		...(relativePath !== undefined && { relativePath }),
		...(volumePath !== undefined && { volumePath }),
		...(absolutePath !== undefined && { absolutePath }),
	};
}

function pairsOf(source: Pick<ByteSource, 'name'>, bytes: Uint8Array): Map<string, string> {
	const wrong = (what: string) => refused(source, `its parent locator ${what}`);
	if (bytes.length < locatorHeadBytes) throw wrong(`has ${exactBytes(bytes.length)}, and needs ${locatorHeadBytes}`);
	const fields = new FieldReader(bytes);
	if (fields.guid(0) !== vhdxLocatorType) throw wrong(`is of type ${fields.guid(0)}, not of a VHDX's parent`);
	if (fields.u16(16) !== 0) throw wrong('uses a field that is reserved');
	const count = fields.u16(18);
	if (locatorHeadBytes + count * locatorEntryBytes > bytes.length) throw wrong(`has no room for ${count} entries`);
	let textBytes = 0;
	const text = (at: number, lengthBytes: number) => {
		// Texts that share bytes could be thousands of times as long as the item, in memory.
		textBytes += lengthBytes;
		if (textBytes > bytes.length) throw wrong('has texts that overlap');
		if (lengthBytes === 0 || lengthBytes % 2 !== 0 || at + lengthBytes > bytes.length)
			throw wrong(`has a text of ${exactBytes(lengthBytes)} at offset ${at}`);
		const read = Buffer.from(bytes.subarray(at, at + lengthBytes)).toString('utf16le');
		if (read.includes('\0')) throw wrong('has a text with a zero in it');
		return read;
	};
	const pairs = new Map<string, string>();
	for (let index = 0; index < count; index++) {
		const at = locatorHeadBytes + index * locatorEntryBytes;
		const key = text(fields.u32(at), fields.u16(at + 8));
		if (pairs.has(key)) throw wrong(`has ${JSON.stringify(key.slice(0, longestShown))} twice`);
		pairs.set(key, text(fields.u32(at + 4), fields.u16(at + 10)));
	}
	return pairs;
}

/** `{01234567-…}` in any case, as a GUID without braces in lower case. */
function guidIn(text: string | undefined): string | undefined {
	const inner = text?.startsWith('{') && text.endsWith('}') ? text.slice(1, -1) : '';
	return isGuid(inner) ? inner.toLowerCase() : undefined;
}
