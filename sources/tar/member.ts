/**
 * What a member of a tar archive is called and how long it is, where headers before its own say that: POSIX.1-2017, pax,
 * "pax Extended Header"; the manual of GNU tar, "GNU tar format" (long names).
 */
import { RouseError } from '../../model/errors.ts';
import type { TarHeader } from './header.ts';

export interface TarMember extends TarHeader {
	/** What pax says of it beside name and size, as `GNU.sparse.major`. */
	records: ReadonlyMap<string, string>;
}

/** Long names have no more than a path has; records are a few lines. */
export const maxWordsBytes = 2 ** 20;

/** Keeps what headers say of the member that follows them. Throws `source_invalid`: "it" is the archive. */
export class TarWords {
	readonly #ofAll = new Map<string, string>();
	#ofNext = new Map<string, string>();
	#longName: string | undefined;

	/** How many bytes behind this header are words on members behind it, for {@link add}; undefined when it is a member's own. */
	static lengthOf({ type, sizeBytes }: TarHeader): number | undefined {
		if (!['x', 'g', 'L', 'K'].includes(type)) return undefined;
		if (sizeBytes <= maxWordsBytes) return sizeBytes;
		throw new RouseError(
			'source_invalid',
			`a name or record in it has ${sizeBytes} bytes, and ${maxWordsBytes} at most are read`,
		);
	}

	/** `bytes`: all that {@link lengthOf} said. */
	add({ type }: TarHeader, bytes: Buffer): void {
		if (type === 'L') this.#longName = bytes.toString('utf8').replace(/\0[^]*$/, '');
		if (type === 'x') this.#ofNext = parsePaxRecords(bytes);
		if (type === 'g') for (const [key, value] of parsePaxRecords(bytes)) this.#ofAll.set(key, value);
	}

	/** The member that a header of its own begins; what was said of it is said of no other. */
	member(header: TarHeader): TarMember {
		const records = new Map([...this.#ofAll, ...this.#ofNext]);
		// An empty value takes back what was said of all.
		for (const [key, value] of records) if (value === '') records.delete(key);
		const name = records.get('path') ?? this.#longName ?? header.name;
		const said = records.get('size');
		this.#ofNext = new Map();
		this.#longName = undefined;
		return { type: header.type, name, sizeBytes: said === undefined ? header.sizeBytes : sizeOf(said), records };
	}
}

/** "%d %s=%s\n": the length of the whole record, with itself. */
export function parsePaxRecords(bytes: Buffer): Map<string, string> {
	const records = new Map<string, string>();
	for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
		const digits = /^(\d{1,8}) /.exec(bytes.toString('latin1', at, at + 9))?.[1];
		const end = at + Number(digits);
		const equals = bytes.indexOf('=', at);
		const isWhole = digits !== undefined && end <= bytes.length && bytes[end - 1] === 0x0a;
		if (!isWhole || equals === -1 || equals >= end)
			throw new RouseError('source_invalid', 'one of its records (pax) is damaged');
		const key = bytes.toString('utf8', at + digits.length + 1, equals);
		const value = bytes.toString('utf8', equals + 1, end - 1);
		records.set(key, value);
		at = end;
	}
	return records;
}

function sizeOf(text: string): number {
	const size = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
	if (Number.isSafeInteger(size)) return size;
	throw new RouseError('source_invalid', `the size of a member is none: ${JSON.stringify(text.slice(0, 40))}`);
}
