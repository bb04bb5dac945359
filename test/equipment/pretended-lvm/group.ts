/** A volume group in buffers, noted on its disks as LVM notes it: label, header, and a ring of texts. */
import { lvmSum } from '../../../inspection/lvm/metadata-area.ts';
import { noise } from '../repositories.ts';

export const extentBytes = 64 * 1024;
const headBytes = 64 * 1024;
const areaAt = 4096;
const areaBytes = headBytes - areaAt;
const magic = ' LVM2 x[5A%r0N*>';

export interface Member {
	/** 32 characters. */
	id: string;
	/** Where on its disk it begins. */
	disk: Buffer;
	startBytes: number;
	extents: number;
}

export interface Volume {
	name: string;
	/** Pieces of it: number of the member, extent there, and how many. */
	pieces: (readonly [member: number, extent: number, extents: number])[];
}

export interface Snapshot {
	name: string;
	origin: string;
	uuid: string;
	tags: string[];
	content: Buffer;
	/** Of what was written to its volume since. */
	keptChunks: number;
	isFull: boolean;
}

export class PretendedGroup {
	readonly name = 'vg-main';
	readonly members: Member[];
	readonly volumes: Volume[];
	snapshots: Snapshot[] = [];
	seqno = 0;
	/** Of the text that counts, by the area's own offset. */
	#textAt = 512;
	#nextAt = 512;
	/** Before there was a snapshot, and what all its areas said then. */
	#before = { seqno: 0, textAt: 512, header: Buffer.alloc(512), text: '' };

	constructor(members: Member[], volumes: Volume[]) {
		this.members = members;
		this.volumes = volumes;
		for (const { id, disk, startBytes } of members) {
			const label = disk.subarray(startBytes + 512, startBytes + 1024);
			label.write('LABELONE', 0, 'latin1');
			label.writeUInt32LE(32, 20);
			label.write('LVM2 001', 24, 'latin1');
			label.write(id, 32, 'latin1');
			// Data, the end of the list, the metadata area, the end of the list.
			label.writeBigUInt64LE(BigInt(headBytes), 72);
			label.writeBigUInt64LE(BigInt(areaAt), 104);
			label.writeBigUInt64LE(BigInt(areaBytes), 112);
		}
		this.note();
	}

	/** Each change is noted on every disk, behind the one before. */
	note(): void {
		this.seqno++;
		const text = Buffer.from(`${this.#text()}\0`);
		if (this.#nextAt + text.length > areaBytes) this.#nextAt = 512;
		for (const { disk, startBytes } of this.members) {
			const area = disk.subarray(startBytes + areaAt, startBytes + areaAt + areaBytes);
			text.copy(area, this.#nextAt);
			this.#writeHeader(area, text);
		}
		this.#textAt = this.#nextAt;
		this.#nextAt = Math.ceil((this.#nextAt + text.length) / 512) * 512;
	}

	/** A member as it is to be read: what is noted without snapshots and nothing else, and no extents but the volumes'. */
	contentOf({ disk, startBytes, extents }: Member): Buffer {
		const number = this.members.findIndex(member => member.disk === disk);
		const content = Buffer.alloc(headBytes + extents * extentBytes);
		disk.copy(content, 0, startBytes, startBytes + areaAt);
		const { header, text, textAt } = this.snapshots.length === 0 ? this.#now() : this.#before;
		header.copy(content, areaAt);
		content.write(`${text}\0`, areaAt + textAt, 'latin1');
		for (const { pieces } of this.volumes)
			for (const [member, extent, count] of pieces) {
				const at = headBytes + extent * extentBytes;
				if (member === number) disk.copy(content, at, startBytes + at, startBytes + at + count * extentBytes);
			}
		return content;
	}

	/** What of a write to a disk falls onto volumes; a guest has no way to write anywhere else. */
	write(disk: Buffer, offsetBytes: number, bytes: Buffer): void {
		for (const volume of this.volumes) {
			for (const [number, extent, count] of volume.pieces) {
				const member = this.members[number];
				if (member?.disk !== disk) continue;
				const at = member.startBytes + headBytes + extent * extentBytes;
				const from = Math.max(at, offsetBytes);
				const until = Math.min(at + count * extentBytes, offsetBytes + bytes.length);
				if (from >= until) continue;
				bytes.copy(disk, from, from - offsetBytes, until - offsetBytes);
				for (const one of this.snapshots) if (one.origin === volume.name) one.keptChunks++;
			}
		}
	}

	readVolume(name: string): Buffer {
		const volume = this.volumes.find(one => one.name === name);
		return Buffer.concat(
			(volume?.pieces ?? []).map(([number, extent, count]) => {
				const member = this.members[number];
				const at = (member?.startBytes ?? 0) + headBytes + extent * extentBytes;
				return member?.disk.subarray(at, at + count * extentBytes) ?? Buffer.alloc(0);
			}),
		);
	}

	/** What it keeps lies in the last extent of the last member, where it is not to be seen. */
	snapshot(name: string, origin: string, tags: readonly string[]): void {
		const content = Buffer.from(this.readVolume(origin));
		if (this.snapshots.length === 0) this.#before = this.#now();
		const uuid = `uuid-${name}-${this.seqno}`;
		this.snapshots.push({ name, origin, uuid, tags: [...tags], content, keptChunks: 0, isFull: false });
		const last = this.members.at(-1);
		if (last)
			noise(extentBytes, this.seqno).copy(last.disk, last.startBytes + headBytes + (last.extents - 1) * extentBytes);
		this.note();
	}

	/**
	 * Without snapshots it is noted as it was before there were any, number and place and all, which LVM does not do: so whoever
	 * compares disks need not know how often it was asked.
	 */
	remove(name: string): void {
		const left = this.snapshots.filter(one => one.name !== name);
		if (left.length === this.snapshots.length) return;
		this.snapshots = left;
		if (left.length === 0) [this.seqno, this.#nextAt] = [this.#before.seqno - 1, this.#before.textAt];
		this.note();
	}

	#now() {
		const [first] = this.members;
		const at = (first?.startBytes ?? 0) + areaAt;
		const header = Buffer.from(first?.disk.subarray(at, at + 512) ?? '');
		return { seqno: this.seqno, textAt: this.#textAt, header, text: this.#text() };
	}

	#writeHeader(area: Buffer, text: Buffer): void {
		const header = area.subarray(0, 512).fill(0);
		header.write(magic, 4, 'latin1');
		header.writeUInt32LE(1, 20);
		header.writeBigUInt64LE(BigInt(areaAt), 24);
		header.writeBigUInt64LE(BigInt(areaBytes), 32);
		header.writeBigUInt64LE(BigInt(this.#nextAt), 40);
		header.writeBigUInt64LE(BigInt(text.length), 48);
		header.writeUInt32LE(lvmSum(text), 56);
		header.writeUInt32LE(lvmSum(header.subarray(4)), 0);
	}

	#text(): string {
		const members = this.members.map(
			({ id, extents }, number) =>
				`pv${number} {\nid = "${dashed(id)}"\npe_start = ${headBytes / 512}\npe_count = ${extents}\n}\n`,
		);
		const volumes = this.volumes.map(({ name, pieces }) => {
			let start = 0;
			const segments = pieces.map(([member, extent, count], index) => {
				const text = segment(
					index + 1,
					start,
					count,
					`type = "striped"\nstripe_count = 1\nstripes = ["pv${member}", ${extent}]`,
				);
				start += count;
				return text;
			});
			return `${name} {\nid = "lv-${name}"\nstatus = ["READ", "WRITE", "VISIBLE"]\nsegment_count = ${pieces.length}\n${segments.join('')}}\n`;
		});
		const snapshots = this.snapshots.map(
			({ name, tags, origin }, number) =>
				`snapshot${number} {\nid = "sn-${number}"\ntags = [${tags.map(tag => `"${tag}"`).join(', ')}]\nsegment_count = 1\n${segment(1, 0, 1, `type = "snapshot"\ncow_store = "${name}"\norigin = "${origin}"`)}}\n`,
		);
		return `${this.name} {\nid = "grp-main"\nseqno = ${this.seqno}\nextent_size = ${extentBytes / 512}\nphysical_volumes {\n${members.join('')}}\nlogical_volumes {\n${[...volumes, ...snapshots].join('')}}\n}\ncontents = "Text Format Volume Group"\nversion = 1\n`;
	}
}

function segment(number: number, start: number, count: number, more: string): string {
	return `segment${number} {\nstart_extent = ${start}\nextent_count = ${count}\n${more}\n}\n`;
}

/** As texts write it. */
function dashed(id: string): string {
	return id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}
