import { exactBytes } from '../../model/format-bytes.ts';
import type { ByteReader } from './byte-reader.ts';
import { type PaxFacts, PaxFactsReader } from './pax-facts.ts';
import { refused, shown, unpackIt } from './refused.ts';
import { blockBytes, paddingOf, parseHeader, type TarHeader, textOf } from './tar-header.ts';
import { tarNumber } from './tar-number.ts';

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
const mostNameBytes = 65_536;

/** The next member; undefined at the block that ends the archive. */
export async function nextMember(reader: ByteReader, signal: AbortSignal): Promise<Member | undefined> {
	let pax: PaxFacts | undefined;
	let longName: string | undefined;
	for (;;) {
		const atBytes = reader.position;
		const header = parseHeader(await reader.take(blockBytes, 'a header', signal), atBytes);
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
			return { header, pax: pax ?? { sparse: {} }, name, archivedBytes: pax?.sizeBytes ?? sizeOf(header) };
		}
	}
}

function sizeOf({ block, name }: TarHeader): number {
	return tarNumber(block.subarray(124, 136), `the size of ${shown(name)}`);
}

async function readExtended(header: TarHeader, reader: ByteReader, signal: AbortSignal): Promise<PaxFactsReader> {
	const lengthBytes = sizeOf(header);
	if (lengthBytes > mostExtendedBytes) throw refused(`it has an extended header of ${exactBytes(lengthBytes)}`);
	const facts = new PaxFactsReader();
	for await (const piece of reader.pieces(lengthBytes, 'an extended header', signal)) facts.push(piece);
	await reader.skip(paddingOf(lengthBytes), 'an extended header', signal);
	return facts;
}

/** Of GNU tar: what does not fit into the header. */
async function readName(header: TarHeader, reader: ByteReader, signal: AbortSignal): Promise<string> {
	const lengthBytes = sizeOf(header);
	if (lengthBytes > mostNameBytes) throw refused(`it has a name of ${exactBytes(lengthBytes)}`);
	const name = textOf(await reader.take(lengthBytes, 'a long name', signal));
	await reader.skip(paddingOf(lengthBytes), 'a long name', signal);
	return name;
}
