import { mustLieInside, unreadable, type Volume } from '../volume.ts';
import type { PhysicalVolume } from './physical-volume.ts';
import { isSection, type LvmSection } from './text.ts';

const sectorBytes = 512;
const mostVolumes = 64;
const mostSegments = 1000;

/** What a volume of a group is, or why it is not read. */
export type LogicalVolume = { volume: Volume } | { name: string; why: string };

/**
 * The logical volumes of the groups that these physical ones make, as far as each segment lies in one place (`striped` over
 * one stripe, which is what "linear" is). Throws `source_invalid` for metadata that is damaged.
 */
export function logicalVolumes(physical: readonly PhysicalVolume[]): LogicalVolume[] {
	const newest = new Map<string, { name: string; group: LvmSection; seqno: number }>();
	for (const { metadata } of physical)
		for (const [name, group] of Object.entries(metadata ?? {})) {
			if (!isSection(group) || typeof group['id'] !== 'string') continue;
			const seqno = numberIn(group, 'seqno');
			// Each of them has the metadata; one that was away has an old one.
			if (seqno > (newest.get(group['id'])?.seqno ?? -1)) newest.set(group['id'], { name, group, seqno });
		}
	return [...newest.values()].flatMap(({ name, group }) => volumesOf(name, group, physical));
}

function volumesOf(groupName: string, group: LvmSection, physical: readonly PhysicalVolume[]): LogicalVolume[] {
	const members = sectionIn(group, 'physical_volumes');
	const extentBytes = numberIn(group, 'extent_size') * sectorBytes;
	const placeOf = (name: string): { volume: Volume; startBytes: number } | undefined => {
		const member = members[name];
		if (!isSection(member) || typeof member['id'] !== 'string') return undefined;
		const id = member['id'].replaceAll('-', '');
		const found = physical.find(one => one.id === id);
		return found && { volume: found.volume, startBytes: numberIn(member, 'pe_start') * sectorBytes };
	};
	const logical = Object.entries(group['logical_volumes'] === undefined ? {} : sectionIn(group, 'logical_volumes'));
	if (logical.length > mostVolumes) throw unreadable(`a group of LVM has ${logical.length} volumes`);
	return logical.map(([name, volume]) => {
		const title = `LVM ${groupName}/${name}`;
		const segments = isSection(volume) ? segmentsOf(volume, extentBytes, placeOf) : 'the metadata of LVM is damaged';
		return typeof segments === 'string' ? { name: title, why: segments } : { volume: joined(title, segments) };
	});
}

interface Segment {
	atBytes: number;
	lengthBytes: number;
	volume: Volume;
	volumeAtBytes: number;
}

function segmentsOf(
	volume: LvmSection,
	extentBytes: number,
	placeOf: (name: string) => { volume: Volume; startBytes: number } | undefined,
): Segment[] | string {
	const count = numberIn(volume, 'segment_count');
	if (count > mostSegments) return `it has ${count} segments`;
	const segments: Segment[] = [];
	let end = 0;
	for (let index = 1; index <= count; index++) {
		const segment = sectionIn(volume, `segment${index}`);
		const type = segment['type'];
		if (type !== 'striped' || numberIn(segment, 'stripe_count') !== 1)
			return `a volume of the kind ${typeof type === 'string' ? type : '?'} is not read`;
		const [member, extent] = Array.isArray(segment['stripes']) ? segment['stripes'] : [];
		if (typeof member !== 'string' || typeof extent !== 'number') throw damaged();
		const place = placeOf(member);
		if (place === undefined) return 'a disk of its group is not among those of the machine';
		const atBytes = numberIn(segment, 'start_extent') * extentBytes;
		const lengthBytes = numberIn(segment, 'extent_count') * extentBytes;
		if (atBytes !== end || lengthBytes <= 0) throw damaged();
		end += lengthBytes;
		segments.push({
			atBytes,
			lengthBytes,
			volume: place.volume,
			volumeAtBytes: place.startBytes + extent * extentBytes,
		});
	}
	return segments;
}

function joined(name: string, segments: readonly Segment[]): Volume {
	const last = segments.at(-1);
	const sizeBytes = last === undefined ? 0 : last.atBytes + last.lengthBytes;
	return {
		name,
		sizeBytes,
		read: async (atBytes, lengthBytes) => {
			mustLieInside({ name, sizeBytes }, atBytes, lengthBytes);
			const pieces: Buffer[] = [];
			for (const segment of segments) {
				const from = Math.max(atBytes, segment.atBytes);
				const until = Math.min(atBytes + lengthBytes, segment.atBytes + segment.lengthBytes);
				if (until > from)
					pieces.push(await segment.volume.read(segment.volumeAtBytes + from - segment.atBytes, until - from));
			}
			return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
		},
	};
}

function sectionIn(section: LvmSection, name: string): LvmSection {
	const value = section[name];
	if (!isSection(value)) throw damaged();
	return value;
}

/** Not below zero, and whole. */
function numberIn(section: LvmSection, name: string): number {
	const value = section[name];
	if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw damaged();
	return value;
}

function damaged() {
	return unreadable('the metadata of LVM is damaged');
}
