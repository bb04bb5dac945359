/** The one disk of an archive, as Google Compute Engine exports and imports it: `disk.raw`, in any form in which zeros are left out. */
import { exactBytes } from '../../model/format-bytes.ts';
import { DecimalList } from '../tar/decimal-list.ts';
import { blockBytes, paddingOf } from '../tar/header.ts';
import { isSparse, type Member, nextMember } from '../tar/members.ts';
import { refused, shown, unpackIt } from '../tar/refused.ts';
import { mostParts, SparseMap } from '../tar/sparse-map.ts';
import type { ByteReader } from './byte-reader.ts';
import { oldGnuMap } from './old-gnu-map.ts';

const diskName = 'disk.raw';
/** What licenses an image has; `gce_export` writes it: GoogleCloudPlatform/compute-image-tools, cli_tools/gce_export/main.go */
const licensesName = 'manifest.json';
const mostLicensesBytes = 2 ** 20;
/** Directories and the like. */
const mostMembers = 16;

const fileTypes: readonly string[] = ['0', '7'];
const directoryType = '5';
const sparseType = 'S';

export interface ArchivedDisk {
	sizeBytes: number;
	map: SparseMap;
}

/** Reads up to the first byte of the disk's data. */
export async function findDisk(reader: ByteReader, signal: AbortSignal): Promise<ArchivedDisk> {
	for (let members = 0; members < mostMembers; members++) {
		const member = await nextMember(reader, signal);
		if (member === undefined) throw refused(`it has no ${diskName}`, unpackIt);
		if (plainName(member) === diskName) return await diskOf(member, reader, signal);
		await skipOther(member, reader, signal);
	}
	throw refused(`it has no ${diskName} among its first ${mostMembers} members`, unpackIt);
}

/**
 * From the end of the disk's data on: that the archive has an end, no other disk before it, and nothing behind it. Whoever makes the
 * bytes throws when what they are made of is damaged or lacks its end.
 */
export async function checkEnd({ map }: ArchivedDisk, reader: ByteReader, signal: AbortSignal): Promise<void> {
	await reader.skip(paddingOf(map.dataBytes), 'what fills up its last block', signal);
	for (let members = 0; ; members++) {
		const member = await nextMember(reader, signal);
		if (member === undefined) break;
		if (plainName(member) === diskName) throw refused(`it has ${diskName} twice`, unpackIt);
		if (members === mostMembers) throw refused(`it has more than ${mostMembers} members`, unpackIt);
		await skipOther(member, reader, signal);
	}
	const second = await reader.take(blockBytes, 'what marks its end', signal);
	mustBeZeros(second, reader);
	// Archives are filled up to whole records, of any length.
	for (;;) {
		const rest = await reader.some(Number.MAX_SAFE_INTEGER, signal);
		if (rest === undefined) return;
		mustBeZeros(rest, reader);
	}
}

const zeros = Buffer.alloc(65_536);

function mustBeZeros(bytes: Buffer, { position }: ByteReader): void {
	for (let at = 0; at < bytes.length; at += zeros.length) {
		const piece = bytes.subarray(at, at + zeros.length);
		if (!piece.equals(zeros.subarray(0, piece.length)))
			throw refused(`it goes on behind its end: something lies before byte ${position} of the archive`);
	}
}

function plainName({ name }: Member): string {
	return name.replace(/^(?:\.\/)+/, '');
}

/** What says nothing about the disk. Anything else may be a part of it. */
async function skipOther(member: Member, reader: ByteReader, signal: AbortSignal): Promise<void> {
	const { header, name, archivedBytes } = member;
	const isFile = fileTypes.includes(header.type) && !isSparse(member);
	if ((header.type === directoryType || (isFile && name.endsWith('/'))) && archivedBytes === 0) return;
	if (!isFile || plainName(member) !== licensesName || archivedBytes > mostLicensesBytes)
		throw refused(`beside ${diskName} it has ${shown(name)}, which is not known`, unpackIt);
	await reader.skip(archivedBytes + paddingOf(archivedBytes), shown(name), signal);
}

async function diskOf(member: Member, reader: ByteReader, signal: AbortSignal): Promise<ArchivedDisk> {
	const disk = await formOf(member)(member, reader, signal);
	const { sizeBytes, map } = disk;
	if (sizeBytes === 0) throw refused(`its ${diskName} is empty`);
	if (map.endBytes > sizeBytes)
		throw refused(`its map goes to ${map.endBytes}, and its disk has ${exactBytes(sizeBytes)}`);
	return disk;
}

type Form = (member: Member, reader: ByteReader, signal: AbortSignal) => Promise<ArchivedDisk>;

function formOf(member: Member): Form {
	const { header, pax } = member;
	const { type, dialect } = header;
	if (type === sparseType && dialect === 'gnu' && !isSparse(member)) return oldGnuForm;
	if (!fileTypes.includes(type))
		throw refused(`its ${diskName} is of the type ${shown(type)}, which is no file`, unpackIt);
	if (!isSparse(member)) return denseForm;
	const { major = 0, minor, map } = pax.sparse;
	if (major === 1 && minor === 0 && map === undefined) return form10;
	if (major === 0 && (minor ?? 0) <= 1 && map !== undefined) return form0;
	throw refused(`it leaves out zeros in a form that is not read: ${major}.${minor ?? '?'}`, unpackIt);
}

const denseForm: Form = async ({ archivedBytes }) => {
	const map = new SparseMap();
	if (archivedBytes > 0) map.add(0, archivedBytes);
	return { sizeBytes: archivedBytes, map };
};

const oldGnuForm: Form = async ({ header, archivedBytes }, reader, signal) => {
	const { map, realBytes } = await oldGnuMap(header, reader, signal);
	mustHold(map, archivedBytes);
	return { sizeBytes: realBytes, map };
};

/** 0.0 and 0.1: the map stands before the member. */
const form0: Form = async ({ pax: { sparse }, archivedBytes }) => {
	const { realBytes, parts, map = new SparseMap() } = sparse;
	if (realBytes === undefined) throw refused('it does not say how large its disk is');
	if (parts !== undefined && parts !== map.told)
		throw refused(`its map has ${map.told} parts, and should have ${parts}`);
	mustHold(map, archivedBytes);
	return { sizeBytes: realBytes, map };
};

/** 1.0: the map stands before the data: how many parts, then offset and length of each, a line each, up to a whole block. */
const form10: Form = async ({ pax: { sparse }, archivedBytes }, reader, signal) => {
	const { realBytes } = sparse;
	if (realBytes === undefined) throw refused('it does not say how large its disk is');
	const beganAt = reader.position;
	const map = new SparseMap();
	let parts: number | undefined;
	let offset: number | undefined;
	const list = new DecimalList('\n', 'its map', value => {
		if (parts === undefined) {
			parts = value;
			if (parts > mostParts) throw refused(`its map has ${parts} parts, more than ${mostParts}`);
		} else if (offset === undefined) offset = value;
		else {
			map.add(offset, value);
			offset = undefined;
		}
	});
	const isWhole = () => parts !== undefined && map.told === parts && offset === undefined;
	while (!isWhole()) {
		const block = await reader.take(blockBytes, 'its map', signal);
		const taken = list.push(block, isWhole);
		if (isWhole()) mustBeZeros(block.subarray(taken), reader);
	}
	mustHold(map, archivedBytes - (reader.position - beganAt));
	return { sizeBytes: realBytes, map };
};

function mustHold({ dataBytes }: SparseMap, archivedBytes: number): void {
	if (dataBytes === archivedBytes) return;
	throw refused(
		`its map tells of ${exactBytes(dataBytes)}, and the archive has ${exactBytes(archivedBytes)} of its disk`,
	);
}
