/** What is in a tar archive, and where: read without what the members hold. */
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { bytesAt, type OpenedFile } from '../opened-file.ts';
import { paddingOf } from './header.ts';
import { isSparse, type Member, nextMember, type TarReader } from './members.ts';
import { refused, shown, unpackIt } from './refused.ts';

export interface PlacedMember {
	name: string;
	type: string;
	atBytes: number;
	sizeBytes: number;
}

/** More than any appliance has; each costs a read. */
const maxMembers = 4096;

/**
 * The members of an archive that lie in it whole, in its order. Throws `source_invalid` when it is none, is damaged or cut, or has
 * what cannot be read at its place.
 */
export async function readTarIndex(file: OpenedFile, signal: AbortSignal): Promise<PlacedMember[]> {
	try {
		const members = await membersOf(new PlaceReader(file), file.sizeBytes, signal);
		if (members.length === 0) throw refused('it is empty');
		return members;
	} catch (error) {
		if (!(error instanceof RouseError) || error.message.startsWith(file.path)) throw error;
		const { code, message, hint } = error;
		throw new RouseError(code, `${file.path} is no tar archive, or damaged: ${message}`, { hint, cause: error });
	}
}

/** Also an archive without the blocks of zeros at its end is taken: what is missing a description tells, or a digest. */
async function membersOf(reader: PlaceReader, endBytes: number, signal: AbortSignal): Promise<PlacedMember[]> {
	const members: PlacedMember[] = [];
	while (members.length === 0 || reader.position < endBytes) {
		const member = await nextMember(reader, signal);
		if (member === undefined) break;
		if (members.length === maxMembers) throw refused(`it has more than ${maxMembers} members`);
		refuseParts(member);
		const { name, header, archivedBytes: sizeBytes } = member;
		members.push({ name, type: header.type, atBytes: reader.position, sizeBytes });
		await reader.skip(sizeBytes + paddingOf(sizeBytes), `${shown(name)}, which has ${exactBytes(sizeBytes)}`);
	}
	return members;
}

/** GNU tar leaves out the holes of a sparse file, so that what follows the header is not what the file has. */
function refuseParts(member: Member): void {
	const { name, header } = member;
	if (header.type === 'S' || isSparse(member))
		throw refused(`${shown(name)} lies in it without its holes (a sparse file of GNU tar)`, unpackIt);
	if (header.type === 'M') throw refused(`${shown(name)} lies in it in part, and goes on in another archive`, unpackIt);
}

const pieceBytes = 65_536;

class PlaceReader implements TarReader {
	readonly #file: OpenedFile;
	position = 0;

	constructor(file: OpenedFile) {
		this.#file = file;
	}

	async take(lengthBytes: number, what: string, signal: AbortSignal): Promise<Buffer> {
		signal.throwIfAborted();
		const bytes = await bytesAt(this.#file, this.position, lengthBytes);
		if (bytes.length < lengthBytes) throw this.#cut(what);
		this.position += lengthBytes;
		return bytes;
	}

	async *pieces(lengthBytes: number, what: string, signal: AbortSignal): AsyncGenerator<Buffer> {
		for (let left = lengthBytes; left > 0; left -= pieceBytes)
			yield await this.take(Math.min(left, pieceBytes), what, signal);
	}

	async skip(lengthBytes: number, what: string): Promise<void> {
		if (this.position + lengthBytes > this.#file.sizeBytes) throw this.#cut(what);
		this.position += lengthBytes;
	}

	#cut(what: string): RouseError {
		const { path, sizeBytes } = this.#file;
		const where = `it ends at ${exactBytes(sizeBytes)}, within ${what}`;
		return new RouseError('source_invalid', `${path} is cut short: ${where}`, { hint: 'copy it again, whole' });
	}
}
