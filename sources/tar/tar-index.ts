/** What is in a tar archive, and where: read without what the members hold. */
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { bytesAt, type OpenedFile } from '../opened-file.ts';
import { paddedBytes, parseTarHeader, tarBlockBytes, type TarHeader } from './header.ts';
import { type TarMember, TarWords } from './member.ts';

export interface PlacedMember extends TarMember {
	atBytes: number;
}

/** More than any appliance has; each costs a read. */
const maxHeaders = 4096;

/**
 * The members of an archive that lie in it whole, in its order. Throws `source_invalid` when it is none, is damaged or cut, or has
 * what cannot be read at its place.
 */
export async function readTarIndex(file: OpenedFile, signal: AbortSignal): Promise<PlacedMember[]> {
	const members: PlacedMember[] = [];
	const words = new TarWords();
	let at = 0;
	for (let count = 0; ; count++) {
		signal.throwIfAborted();
		const header = await headerAt(file, at);
		if (header === undefined) break;
		if (count === maxHeaders) throw ofArchive(file, `it has more than ${maxHeaders} members`);
		at += tarBlockBytes;
		const lengthBytes = ofIt(file, () => TarWords.lengthOf(header));
		if (lengthBytes !== undefined) {
			const bytes = await wholeAt(file, at, lengthBytes);
			ofIt(file, () => words.add(header, bytes));
			at += paddedBytes(lengthBytes);
			continue;
		}
		const member = ofIt(file, () => words.member(header));
		refuseSparse(file, member);
		mustBeThere(file, member, at);
		members.push({ ...member, atBytes: at });
		at += paddedBytes(member.sizeBytes);
	}
	if (members.length === 0) throw ofArchive(file, 'it is empty');
	return members;
}

/** Also an archive without the blocks of zeros at its end is taken: what is missing a description tells, or a digest. */
async function headerAt(file: OpenedFile, at: number): Promise<TarHeader | undefined> {
	if (at > 0 && at === file.sizeBytes) return undefined;
	const block = await wholeAt(file, at, tarBlockBytes);
	return ofIt(file, () => parseTarHeader(block));
}

async function wholeAt(file: OpenedFile, at: number, lengthBytes: number): Promise<Buffer> {
	const bytes = await bytesAt(file, at, lengthBytes);
	if (bytes.length === lengthBytes) return bytes;
	throw cutShort(file, `a header at offset ${at}`);
}

/** GNU tar leaves out the holes of a sparse file, so that what follows the header is not what the file has. */
function refuseSparse(file: OpenedFile, { name, type, records }: TarMember): void {
	const isSparse = type === 'S' || [...records.keys()].some(key => key.startsWith('GNU.sparse.'));
	if (!isSparse && type !== 'M') return;
	throw new RouseError(
		'source_invalid',
		`${file.path}: ${name} lies in it ${isSparse ? 'without its holes (a sparse file of GNU tar)' : 'in part, and goes on in another archive'}`,
		{
			hint: 'unpack it, and import what comes out',
		},
	);
}

/** With what fills its last block, which is read as well. */
function mustBeThere(file: OpenedFile, { name, sizeBytes }: TarMember, at: number): void {
	if (at + paddedBytes(sizeBytes) > file.sizeBytes)
		throw cutShort(file, `${name}, which has ${exactBytes(sizeBytes)} from offset ${at} on`);
}

function cutShort({ path, sizeBytes }: OpenedFile, what: string): RouseError {
	return new RouseError('source_invalid', `${path} is cut short: it ends at ${exactBytes(sizeBytes)}, within ${what}`, {
		hint: 'copy it again, whole',
	});
}

/** What the parsers say of "it". */
function ofIt<T>(file: OpenedFile, parse: () => T): T {
	try {
		return parse();
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		throw ofArchive(file, error.message, error);
	}
}

function ofArchive({ path }: OpenedFile, what: string, cause?: RouseError): RouseError {
	return new RouseError('source_invalid', `${path} is no tar archive, or damaged: ${what}`, {
		hint: cause?.hint ?? 'copy it again',
		cause,
	});
}
