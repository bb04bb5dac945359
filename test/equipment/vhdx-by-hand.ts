/**
 * The content of a VHDX as [MS-VHDX] 2.5 says, read without any check: what the real parser takes, it must read like this.
 * Undefined where even that leads nowhere.
 */
import { guidText } from '../../model/guid.ts';
import { items, regions } from '../../vhdx/constants.ts';
import { mebibyte } from './vhdx-files.ts';

export function contentByHand(file: Buffer, lengthBytes: number, parent?: Buffer): Buffer | undefined {
	try {
		return read(file, lengthBytes, parent);
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

function read(file: Buffer, lengthBytes: number, parent: Buffer | undefined): Buffer {
	const table = (at: number, guid: string) => {
		for (let entry = at; entry < at + 65_536; entry += 32)
			if (guidText(file.subarray(entry, entry + 16)) === guid) return entry;
		throw new RangeError(`no ${guid}`);
	};
	const region = (guid: string) => Number(file.readBigUInt64LE(table(192 * 1024 + 16, guid) + 16));
	const metadataAt = region(regions.metadata);
	const item = (guid: string) => metadataAt + file.readUInt32LE(table(metadataAt + 32, guid) + 16);
	const blockBytes = file.readUInt32LE(item(items.fileParameters));
	const hasParent = (file.readUInt32LE(item(items.fileParameters) + 4) & 2) !== 0;
	const sectorBytes = file.readUInt32LE(item(items.logicalSectorSize));
	const sizeBytes = Number(file.readBigUInt64LE(item(items.virtualDiskSize)));
	const tableAt = region(regions.blockTable);
	const ofChunk = (8 * mebibyte * sectorBytes) / blockBytes;
	const content = Buffer.alloc(Math.min(lengthBytes, sizeBytes));
	for (let at = 0; at < content.length; at += sectorBytes) {
		const block = Math.floor(at / blockBytes);
		const chunk = Math.floor(block / ofChunk);
		const entry = file.readBigUInt64LE(tableAt + (block + chunk) * 8);
		const state = Number(entry & 7n);
		const place = Number(entry >> 20n) * mebibyte + (at % blockBytes);
		const bitmapEntry = state === 7 ? file.readBigUInt64LE(tableAt + (chunk * (ofChunk + 1) + ofChunk) * 8) : 0n;
		const sector = (at / sectorBytes) % (8 * mebibyte);
		const isHere =
			state === 6 ||
			(state === 7 &&
				((file.readUInt8(Number(bitmapEntry >> 20n) * mebibyte + (sector >> 3)) >> (sector & 7)) & 1) === 1);
		if (isHere) file.copy(content, at, place, place + Math.min(sectorBytes, content.length - at));
		else if (hasParent && (state === 7 || state === 0) && parent && at < parent.length)
			parent.copy(content, at, at, at + sectorBytes);
	}
	return content;
}
