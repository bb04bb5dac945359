/** lib/label/label.h and lib/format_text/layout.h of LVM2: by what a physical volume is known. */
import { unreadable, type Volume } from '../volume.ts';

const sectorBytes = 512;
const labelSectors = 4;
const mostAreas = 8;

export interface PhysicalLabel {
	/** As metadata writes it, without the dashes. */
	id: string;
	/** Offsets of its metadata areas. */
	areas: number[];
}

/** Undefined for a volume that is none; throws `source_invalid` for one that is damaged. */
export async function readLabel(volume: Volume): Promise<PhysicalLabel | undefined> {
	if (volume.sizeBytes < labelSectors * sectorBytes) return undefined;
	const bytes = await volume.read(0, labelSectors * sectorBytes);
	for (let at = 0; at < bytes.length; at += sectorBytes) {
		const sector = bytes.subarray(at, at + sectorBytes);
		if (sector.toString('latin1', 0, 8) !== 'LABELONE') continue;
		if (sector.toString('latin1', 24, 32) !== 'LVM2 001') continue;
		const header = sector.readUInt32LE(20);
		if (header + 40 > sectorBytes) throw damaged();
		const id = sector.toString('latin1', header, header + 32);
		return { id, areas: areasIn(sector.subarray(header + 40)) };
	}
	return undefined;
}

/** Two lists of places, each of which ends with zeros: data, then metadata. */
function areasIn(lists: Buffer): number[] {
	const areas: number[] = [];
	let at = 0;
	for (let list = 0; list < 2; at += 16) {
		if (at + 16 > lists.length || at > 2 * mostAreas * 16) throw damaged();
		const place = Number(lists.readBigUInt64LE(at));
		const size = Number(lists.readBigUInt64LE(at + 8));
		if (place === 0 && size === 0) list++;
		else if (list === 1) areas.push(place);
	}
	return areas;
}

function damaged() {
	return unreadable('a label of LVM is damaged');
}
