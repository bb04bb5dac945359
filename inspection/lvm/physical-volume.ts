import { unreadable, type Volume } from '../volume.ts';
import { type LvmSection, parseLvmText } from './text.ts';

/** lib/format_text/layout.h and lib/label/label.h of LVM2: where label and metadata are. */
const sectorBytes = 512;
const labelSectors = 4;
const metadataMagic = ' LVM2 x[5A%r0N*>';
/** A group of some thousand volumes. */
const mostMetadataBytes = 4 * 2 ** 20;
const mostAreas = 8;

export interface PhysicalVolume {
	volume: Volume;
	/** As metadata writes it, without the dashes. */
	id: string;
	/** Of the group it belongs to; undefined where it has none, or keeps none here. */
	metadata: LvmSection | undefined;
}

/** Undefined for a volume that is none; throws `source_invalid` for one that is damaged. */
export async function readPhysicalVolume(volume: Volume): Promise<PhysicalVolume | undefined> {
	if (volume.sizeBytes < labelSectors * sectorBytes) return undefined;
	const bytes = await volume.read(0, labelSectors * sectorBytes);
	for (let at = 0; at < bytes.length; at += sectorBytes) {
		const sector = bytes.subarray(at, at + sectorBytes);
		if (sector.toString('latin1', 0, 8) !== 'LABELONE') continue;
		if (sector.toString('latin1', 24, 32) !== 'LVM2 001') continue;
		const header = sector.readUInt32LE(20);
		if (header + 40 > sectorBytes) throw unreadable('a label of LVM is damaged');
		const id = sector.toString('latin1', header, header + 32);
		return { volume, id, metadata: await metadataOf(volume, sector.subarray(header + 40)) };
	}
	return undefined;
}

/** Two lists of places, each of which ends with zeros: data, then metadata. */
async function metadataOf(volume: Volume, lists: Buffer): Promise<LvmSection | undefined> {
	let at = 0;
	for (let list = 0; list < 2; at += 16) {
		if (at + 16 > lists.length || at > 2 * mostAreas * 16) throw unreadable('a label of LVM is damaged');
		const place = Number(lists.readBigUInt64LE(at));
		const size = Number(lists.readBigUInt64LE(at + 8));
		if (place === 0 && size === 0) list++;
		else if (list === 1) {
			const text = await textIn(volume, place);
			if (text !== undefined) return parseLvmText(text);
		}
	}
	return undefined;
}

/** The text lies in a ring behind a header of one sector. */
async function textIn(volume: Volume, areaBytes: number): Promise<string | undefined> {
	const header = await volume.read(areaBytes, sectorBytes);
	if (header.toString('latin1', 4, 20) !== metadataMagic) throw unreadable('a metadata area of LVM is damaged');
	const areaSize = Number(header.readBigUInt64LE(32));
	const from = Number(header.readBigUInt64LE(40));
	const length = Number(header.readBigUInt64LE(48));
	if (length === 0) return undefined;
	if (length > mostMetadataBytes || from < sectorBytes || from >= areaSize || length > areaSize - sectorBytes)
		throw unreadable('a metadata area of LVM is damaged');
	const first = Math.min(length, areaSize - from);
	const pieces = [
		await volume.read(areaBytes + from, first),
		await volume.read(areaBytes + sectorBytes, length - first),
	];
	return Buffer.concat(pieces).toString('latin1').replace(/\0+$/, '');
}
