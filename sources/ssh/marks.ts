/** How what is made on a machine says whose it is: names and tags of LVM. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as z from 'zod';
import { ownerSchema } from '../machine/documents.ts';
import type { ReportedVolume } from './facts/lvm-reports.ts';

const tagWord = 'rouse.tag=';
const ownerWord = 'rouse.owner=';
/** Of one begin: two of the same import are told apart by it. */
const setWord = 'rouse.set=';
const recordWord = 'rouse.record';
/** LVM takes 1024 characters, of which these words need a few. */
const pieceCharacters = 900;
const mostPieces = 64;
const mostRecordBytes = 256 * 1024;

/** Without the dashes: device-mapper doubles them, and its names are short. */
export function snapshotName(tag: string, number: number): string {
	return `rouse_${tag.replaceAll('-', '')}_${number}`;
}

export function marksOf({ tag, owner, set }: { tag: string; owner: string; set: string }): string[] {
	return [`${tagWord}${tag}`, `${ownerWord}${owner}`, `${setWord}${set}`];
}

/** A snapshot that is ours. */
export interface MarkedVolume {
	tag: string;
	owner: string;
	set: string;
	group: string;
	name: string;
	uuid: string;
	/** Of which it is a snapshot. */
	origin: string;
	/** Whether what it has kept can still be read. */
	isWhole: boolean;
	volume: ReportedVolume;
}

const wordSchema = z.object({ tag: z.uuid(), owner: ownerSchema, set: z.uuid() });

export function isOurs(volume: ReportedVolume): boolean {
	return markOf(volume) !== undefined;
}

export function markedIn(volumes: readonly ReportedVolume[]): MarkedVolume[] {
	return volumes.flatMap(volume => {
		const mark = markOf(volume);
		if (mark === undefined) return [];
		const { vg_name: group, lv_name: name, lv_uuid: uuid, origin } = volume;
		return [{ ...mark, group, name, uuid, origin, isWhole: isWhole(volume), volume }];
	});
}

function markOf({ lv_name: name, lv_tags: tags }: ReportedVolume): z.infer<typeof wordSchema> | undefined {
	if (!name.startsWith('rouse_')) return undefined;
	const said = (word: string) => tags.find(tag => tag.startsWith(word))?.slice(word.length);
	return wordSchema.safeParse({ tag: said(tagWord), owner: said(ownerWord), set: said(setWord) }).data;
}

/** lvs(8): a snapshot that is active and has room. One that is full is invalid for ever, and tells no more bytes. */
function isWhole({ lv_attr: attributes, snap_percent: percent }: ReportedVolume): boolean {
	return attributes.startsWith('s') && attributes[4] === 'a' && percent !== null && percent < 100;
}

/** A small document of a begin in tags, so that another process finds what was begun. It is on one volume, all of it or nothing. */
export function recordTags(record: unknown, set: string): string[] {
	const text = deflateRawSync(JSON.stringify(record)).toString('base64url');
	const count = Math.ceil(text.length / pieceCharacters);
	if (count > mostPieces) throw new RangeError(`a record of ${text.length} characters does not fit into tags`);
	return Array.from(
		{ length: count },
		(_, index) =>
			`${recordWord}.${set}.${index}.${count}=${text.slice(index * pieceCharacters, (index + 1) * pieceCharacters)}`,
	);
}

/** Undefined where there is none of that begin that is whole. */
export function readRecord(tags: readonly string[], set: string): unknown {
	const pieces = new Map<number, string>();
	let count = 0;
	for (const tag of tags) {
		const [, ofSet, index, of, piece] =
			/^rouse\.record\.([0-9a-f-]{36})\.(\d{1,2})\.(\d{1,2})=([\w-]+)$/.exec(tag) ?? [];
		if (piece === undefined || ofSet !== set) continue;
		pieces.set(Number(index), piece);
		count = Number(of);
	}
	const texts = Array.from({ length: count }, (_, index) => pieces.get(index));
	if (count === 0 || texts.includes(undefined)) return undefined;
	try {
		const bytes = inflateRawSync(Buffer.from(texts.join(''), 'base64url'), { maxOutputLength: mostRecordBytes });
		return JSON.parse(bytes.toString('utf8'));
	} catch {
		return undefined; // it was cut, or is another's
	}
}
