import { exactBytes } from '../../model/format-bytes.ts';
import { blockBytes, hasData, paddingOf, parseTarHeader, sizeOf, type TarHeader, textOf } from './header.ts';
import { mostNameBytes, type PaxFacts, PaxFactsReader } from './pax-facts.ts';
import { refused, unpackIt } from './refused.ts';

/** An archive that is read from its beginning on. `what` the bytes are is for the error where it ends before them. */
export interface TarReader {
	/** Bytes that were read or skipped. */
	readonly position: number;
	take(lengthBytes: number, what: string, signal: AbortSignal): Promise<Buffer>;
	pieces(lengthBytes: number, what: string, signal: AbortSignal): AsyncIterable<Buffer>;
	skip(lengthBytes: number, what: string, signal: AbortSignal): Promise<void>;
}

/** A member by its header, and what stands before that about it. */
export interface Member {
	header: TarHeader;
	pax: PaxFacts;
	name: string;
	/** Of what lies in the archive; the reader stands at its beginning. */
	archivedBytes: number;
}

/** Records for 2^22 parts of a map, each number of them in one of its own, are less than half of it. */
const mostExtendedBytes = 2 ** 30;

/** Headers about one member: its records, its name, that of its target, and what is said of all. */
const mostBefore = 16;

/** The next member; undefined at the block that ends the archive. */
export async function nextMember(reader: TarReader, signal: AbortSignal): Promise<Member | undefined> {
	let pax: PaxFacts | undefined;
	let longName: string | undefined;
	for (let headers = 0; headers <= mostBefore; headers++) {
		const atBytes = reader.position;
		const header = parseTarHeader(await reader.take(blockBytes, 'a header', signal), atBytes);
		if (header === undefined) {
			if (pax !== undefined || longName !== undefined) throw refused('it ends before the member that is announced');
			return undefined;
		}
		const { type } = header;
		if (type === 'x') {
			if (pax !== undefined) throw refused('it has two extended headers for one member');
			pax = (await readExtended(header, reader, signal)).end();
		} else if (type === 'g') {
			const common = await readExtended(header, reader, signal);
			common.end();
			if (!common.isEmpty) throw refused('it has an extended header about the sizes or names of all members', unpackIt);
		} else if (type === 'L') {
			if (longName !== undefined) throw refused('it has two long names for one member');
			longName = await readName(header, reader, signal);
		} else if (type === 'K') await readName(header, reader, signal);
		else {
			const name = pax?.sparse.name ?? pax?.path ?? longName ?? header.name;
			return {
				header,
				pax: pax ?? { sparse: {} },
				name,
				archivedBytes: hasData(header) ? (pax?.sizeBytes ?? sizeOf(header)) : 0,
			};
		}
	}
	throw refused(`it has more than ${mostBefore} headers about one member`);
}

async function readExtended(header: TarHeader, reader: TarReader, signal: AbortSignal): Promise<PaxFactsReader> {
	const lengthBytes = sizeOf(header);
	if (lengthBytes > mostExtendedBytes) throw refused(`it has an extended header of ${exactBytes(lengthBytes)}`);
	const facts = new PaxFactsReader();
	for await (const piece of reader.pieces(lengthBytes, 'an extended header', signal)) facts.push(piece);
	await reader.skip(paddingOf(lengthBytes), 'an extended header', signal);
	return facts;
}

/** Of GNU tar: what does not fit into the header. */
async function readName(header: TarHeader, reader: TarReader, signal: AbortSignal): Promise<string> {
	const lengthBytes = sizeOf(header);
	if (lengthBytes > mostNameBytes) throw refused(`it has a name of ${exactBytes(lengthBytes)}`);
	const name = textOf(await reader.take(lengthBytes, 'a long name', signal));
	await reader.skip(paddingOf(lengthBytes), 'a long name', signal);
	return name;
}

/** That zeros are left out of it, as its records say: what lies in the archive is not what it holds. */
export function isSparse({ pax: { sparse } }: Member): boolean {
	return Object.keys(sparse).length > 0;
}
