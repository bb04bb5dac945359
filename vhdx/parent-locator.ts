/** How a differencing disk names its parent: [MS-VHDX] 2.6.2.6. */
import { RouseError } from '../model/errors.ts';
import { isGuid } from '../model/guid.ts';
import { vhdxLocatorType } from './constants.ts';
import { Fields } from './fields.ts';

export interface ParentLocator {
	/** The parent's DataWriteGuid; {@link otherLinkage} is another one that is right. */
	readonly linkage: string;
	readonly otherLinkage?: string;
	/** At least one of these, in the order in which they are tried. In the words of Windows: `..\\base.vhdx`. */
	readonly relativePath?: string;
	readonly volumePath?: string;
	readonly absolutePath?: string;
}

export const locatorKeys = {
	linkage: 'parent_linkage',
	otherLinkage: 'parent_linkage2',
	relativePath: 'relative_path',
	volumePath: 'volume_path',
	absolutePath: 'absolute_win32_path',
} as const;

export const noGuid = '00000000-0000-0000-0000-000000000000';
export const locatorHeadBytes = 20;
export const locatorEntryBytes = 12;

/** The metadata item. Throws `input_invalid` for a parent without a path, or with one that fits no field. */
export function locatorItem(parent: ParentLocator): Uint8Array {
	const { relativePath, volumePath, absolutePath } = parent;
	const paths = { relativePath, volumePath, absolutePath };
	if (Object.values(paths).every(path => path === undefined))
		throw new RouseError('input_invalid', 'a differencing VHDX needs a path of its parent');
	// Hyper-V writes both linkages, the second as zeros.
	const pairs: [string, string][] = [
		[locatorKeys.linkage, braced(parent.linkage)],
		[locatorKeys.otherLinkage, braced(parent.otherLinkage ?? noGuid)],
	];
	for (const [name, path] of Object.entries(paths) as [keyof typeof paths, string | undefined][]) {
		if (path === undefined) continue;
		if (path === '' || path.includes('\0') || path.length * 2 > 0xffff)
			throw new RouseError(
				'input_invalid',
				`the path of a VHDX's parent cannot be ${JSON.stringify(path.slice(0, 80))}`,
			);
		pairs.push([locatorKeys[name], path]);
	}
	let at = locatorHeadBytes + pairs.length * locatorEntryBytes;
	const item = new Fields(pairs.reduce((sum, [key, value]) => sum + (key.length + value.length) * 2, at));
	item.guid(0, vhdxLocatorType).u16(18, pairs.length);
	for (const [index, [key, value]] of pairs.entries()) {
		const [keyBytes, valueBytes] = [key.length * 2, value.length * 2];
		const entryAt = locatorHeadBytes + index * locatorEntryBytes;
		item.u32(entryAt, at).u32(entryAt + 4, at + keyBytes);
		item.u16(entryAt + 8, keyBytes).u16(entryAt + 10, valueBytes);
		item.utf16(at, key).utf16(at + keyBytes, value);
		at += keyBytes + valueBytes;
	}
	return item.bytes;
}

function braced(guid: string): string {
	if (!isGuid(guid)) throw new RangeError(`${JSON.stringify(guid)} is no GUID`);
	// Lower case: libvhdi 20210425 parses no other.
	return `{${guid.toLowerCase()}}`;
}
