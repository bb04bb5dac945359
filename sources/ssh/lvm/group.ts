/** What the metadata of a volume group says, as far as a disk can be put together from it: volumes in pieces that lie in one place each. */
import { isSection, type LvmSection, type LvmValue } from '../../../inspection/lvm/text.ts';
import { RouseError } from '../../../model/errors.ts';

export interface Group {
	name: string;
	id: string;
	/** Raised by each change of the metadata. */
	seqno: number;
	extentBytes: number;
	members: GroupMember[];
	volumes: GroupVolume[];
}

/** A physical volume of the group. */
export interface GroupMember {
	/** Without the dashes, as its label has it. */
	id: string;
	startBytes: number;
	extents: number;
}

export interface GroupVolume {
	name: string;
	extents: number;
	segments: Segment[];
}

export interface Segment {
	/** Of the volume. */
	fromExtent: number;
	extents: number;
	memberId: string;
	memberExtent: number;
}

const sectorBytes = 512;
const mostMembers = 256;
const mostVolumes = 512;
const mostSegments = 4096;
/** Of a group's or a volume's name: lvm(8). */
const nameShape = /^[a-zA-Z0-9_+.][a-zA-Z0-9_+.-]{0,126}$/;

/**
 * The one group of a metadata text. Throws `source_invalid` for what is damaged, and for kinds of volumes – thin, striped, mirrored,
 * snapshots, … – of which no disk can be put together.
 */
export function groupOf(text: LvmSection): Group {
	const groups = Object.entries(text).flatMap(([name, value]) => (isSection(value) ? [{ name, value }] : []));
	const [only] = groups;
	if (only === undefined || groups.length > 1) throw damaged('it tells of no group, or of several');
	const { name, value } = only;
	mustBeName(name);
	const sectors = numberIn(value, 'extent_size');
	const extentBytes = sectors * sectorBytes;
	if (sectors === 0 || !Number.isSafeInteger(extentBytes)) throw damaged(`its extents have ${sectors} sectors`);
	const members = entriesIn(value, 'physical_volumes', mostMembers).map(([title, section]) => ({
		title,
		member: memberOf(section, extentBytes),
	}));
	const idOf = new Map(members.map(({ title, member }) => [title, member.id]));
	if (new Set(idOf.values()).size !== members.length) throw damaged('two physical volumes have one id');
	const group: Group = {
		name,
		id: textIn(value, 'id'),
		seqno: numberIn(value, 'seqno'),
		extentBytes,
		members: members.map(({ member }) => member),
		volumes: [],
	};
	const volumes = value['logical_volumes'] === undefined ? [] : entriesIn(value, 'logical_volumes', mostVolumes);
	for (const [title, section] of volumes) group.volumes.push(volumeOf(`${name}/${title}`, title, section, idOf));
	if (group.volumes.reduce((sum, { segments }) => sum + segments.length, 0) > mostSegments)
		throw damaged(`its volumes have more than ${mostSegments} pieces`);
	mustNotOverlap(group);
	return group;
}

function memberOf(section: LvmSection, extentBytes: number): GroupMember {
	const startBytes = numberIn(section, 'pe_start') * sectorBytes;
	const extents = numberIn(section, 'pe_count');
	if (!Number.isSafeInteger(startBytes + extents * extentBytes)) throw damaged('a physical volume is too large');
	return { id: textIn(section, 'id').replaceAll('-', ''), startBytes, extents };
}

function volumeOf(title: string, name: string, section: LvmSection, idOf: ReadonlyMap<string, string>): GroupVolume {
	mustBeName(name);
	const count = numberIn(section, 'segment_count');
	if (count > mostSegments) throw damaged(`${title} has ${count} pieces`);
	const volume: GroupVolume = { name, extents: 0, segments: [] };
	for (let index = 1; index <= count; index++) {
		const segment = sectionIn(section, `segment${index}`);
		mustBeLinear(title, segment);
		const [member, memberExtent] = Array.isArray(segment['stripes']) ? segment['stripes'] : [];
		const memberId = typeof member === 'string' ? idOf.get(member) : undefined;
		if (memberId === undefined || !isCount(memberExtent)) throw damaged(`${title} lies on nothing that there is`);
		const extents = numberIn(segment, 'extent_count');
		const fromExtent = numberIn(segment, 'start_extent');
		if (fromExtent !== volume.extents || extents === 0) throw damaged(`${title} has a gap, or overlaps itself`);
		volume.extents += extents;
		volume.segments.push({ fromExtent, extents, memberId, memberExtent });
	}
	return volume;
}

function mustBeLinear(title: string, segment: LvmSection): void {
	const type = segment['type'];
	if (type === 'striped' && numberIn(segment, 'stripe_count') === 1) return;
	const kind = type === 'striped' ? 'striped over several disks' : typeof type === 'string' ? type : '?';
	throw new RouseError('source_invalid', `${title} is of the kind "${kind}", of which no snapshot can be composed`, {
		hint: 'only linear volumes can; `snapshot: none` at its source in config.yaml reads the disks while they are written to, which is of no one moment',
	});
}

/** What lies outside of a physical volume, or twice in one place, is no map of a disk. */
function mustNotOverlap({ members, volumes }: Group): void {
	for (const { id, extents } of members) {
		const pieces = volumes
			.flatMap(({ segments }) => segments.filter(({ memberId }) => memberId === id))
			.toSorted((one, other) => one.memberExtent - other.memberExtent);
		let end = 0;
		for (const { memberExtent, extents: length } of pieces) {
			if (memberExtent < end) throw damaged('two volumes lie in one place');
			end = memberExtent + length;
		}
		if (end > extents) throw damaged('a volume lies behind the end of its physical volume');
	}
}

function sectionIn(section: LvmSection, name: string): LvmSection {
	const value = section[name];
	if (!isSection(value)) throw damaged(`${name} is missing`);
	return value;
}

function entriesIn(section: LvmSection, name: string, most: number): [string, LvmSection][] {
	const inner = sectionIn(section, name);
	const names = Object.keys(inner);
	if (names.length > most) throw damaged(`it has ${names.length} ${name}`);
	return names.map(key => [key, sectionIn(inner, key)]);
}

function textIn(section: LvmSection, name: string): string {
	const value = section[name];
	if (typeof value !== 'string' || !/^[a-zA-Z0-9-]{1,64}$/.test(value)) throw damaged(`${name} is none`);
	return value;
}

function isCount(value: LvmValue | undefined): value is number {
	return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function numberIn(section: LvmSection, name: string): number {
	const value = section[name];
	if (!isCount(value)) throw damaged(`${name} is none`);
	return value;
}

/** Names become arguments of commands. */
function mustBeName(name: string): void {
	if (!nameShape.test(name)) throw damaged(`${JSON.stringify(name.slice(0, 40))} is no name`);
}

function damaged(why: string): RouseError {
	return new RouseError('source_invalid', `the metadata of LVM is damaged: ${why}`);
}
