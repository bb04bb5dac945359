import { DecimalList, noSeparator } from './decimal-list.ts';
import { PaxParser, type ValueTaker } from './pax-parser.ts';
import { refused, shown, unpackIt } from './refused.ts';
import { SparseMap } from './sparse-map.ts';

/** What counts of the records before a member; absent what none of them tells. */
export interface PaxFacts {
	path?: string;
	sizeBytes?: number;
	sparse: {
		major?: number;
		minor?: number;
		name?: string;
		realBytes?: number;
		/** Parts of the map, as a record of their own tells. */
		parts?: number;
		map?: SparseMap;
	};
}

/** PATH_MAX of Linux. Many names are kept at once. */
export const mostNameBytes = 4096;

/** Forms in which other programs leave out zeros (star, Solaris), and what makes a member a part of one. */
const notRead = /^(?:SCHILY\.(?:realsize|filetype|offset)|SUN\.holesdata|GNU\.volume\..*|GNU\.sparse\..*)$/s;

/**
 * Reads the records of an extended header: GNU tar manual, "Storing Sparse Files". Of the three PAX forms, 0.0 has a record for each
 * number of the map, 0.1 one for all, 1.0 none.
 */
export class PaxFactsReader {
	readonly #facts: PaxFacts = { sparse: {} };
	readonly #parser = new PaxParser(keyword => this.#takerOf(keyword));
	readonly #seen = new Set<string>();
	/** In the form 0.0: the offset whose length comes next. */
	#offset: number | undefined;

	push(bytes: Buffer): void {
		this.#parser.push(bytes);
	}

	end(): PaxFacts {
		this.#parser.end();
		if (this.#offset !== undefined) throw refused('its map has an offset without a length');
		return this.#facts;
	}

	/** Whether a record was there that counts for a member. */
	get isEmpty(): boolean {
		return this.#seen.size === 0;
	}

	#takerOf(keyword: string): ValueTaker | undefined {
		const { sparse } = this.#facts;
		const taker = this.#takers.get(keyword);
		if (taker === undefined && !notRead.test(keyword)) return undefined;
		if (taker === undefined)
			throw refused(`it is in a form that is not read: its extended header has ${shown(keyword)}`, unpackIt);
		if (this.#seen.has(keyword) && !partKeywords.includes(keyword))
			throw refused(`its extended header has ${keyword} twice`);
		this.#seen.add(keyword);
		if (keyword.endsWith('.map') && sparse.map !== undefined) throw refused('it has two maps');
		return taker();
	}

	readonly #takers: ReadonlyMap<string, () => ValueTaker> = new Map(
		Object.entries({
			path: () => text(value => (this.#facts.path = value)),
			size: () => number('size', value => (this.#facts.sizeBytes = value)),
			'GNU.sparse.major': () => number('GNU.sparse.major', value => (this.#facts.sparse.major = value)),
			'GNU.sparse.minor': () => number('GNU.sparse.minor', value => (this.#facts.sparse.minor = value)),
			'GNU.sparse.name': () => text(value => (this.#facts.sparse.name = value)),
			'GNU.sparse.realsize': () => number('GNU.sparse.realsize', value => this.#setRealBytes(value)),
			'GNU.sparse.size': () => number('GNU.sparse.size', value => this.#setRealBytes(value)),
			'GNU.sparse.numblocks': () => number('GNU.sparse.numblocks', value => (this.#facts.sparse.parts = value)),
			'GNU.sparse.offset': () => number('GNU.sparse.offset', value => this.#addOffset(value)),
			'GNU.sparse.numbytes': () => number('GNU.sparse.numbytes', value => this.#addLength(value)),
			'GNU.sparse.map': () => this.#listTaker(),
		}),
	);

	#setRealBytes(value: number): void {
		const { sparse } = this.#facts;
		if (sparse.realBytes !== undefined && sparse.realBytes !== value)
			throw refused(`its disk has ${sparse.realBytes} bytes, and ${value} bytes`);
		sparse.realBytes = value;
	}

	#addOffset(value: number): void {
		if (this.#seen.has('GNU.sparse.map')) throw refused('it has two maps');
		if (this.#offset !== undefined) throw refused('its map has an offset without a length');
		this.#offset = value;
	}

	#addLength(value: number): void {
		if (this.#offset === undefined) throw refused('its map has a length without an offset');
		const { sparse } = this.#facts;
		(sparse.map ??= new SparseMap()).add(this.#offset, value);
		this.#offset = undefined;
	}

	/** `offset,length,offset,length` … */
	#listTaker(): ValueTaker {
		this.#facts.sparse.map ??= new SparseMap();
		const list = new DecimalList(',', 'its map', value => {
			if (this.#offset === undefined) this.#offset = value;
			else this.#addLength(value);
		});
		return { push: bytes => void list.push(bytes), end: () => list.end() };
	}
}

const partKeywords: readonly string[] = ['GNU.sparse.offset', 'GNU.sparse.numbytes'];

function text(onValue: (value: string) => void): ValueTaker {
	const pieces: Buffer[] = [];
	let lengthBytes = 0;
	return {
		push: bytes => {
			lengthBytes += bytes.length;
			if (lengthBytes > mostNameBytes) throw refused('its extended header has a name without an end');
			pieces.push(Buffer.from(bytes));
		},
		end: () => onValue(Buffer.concat(pieces).toString('utf8')),
	};
}

function number(keyword: string, onValue: (value: number) => void): ValueTaker {
	const list = new DecimalList(noSeparator, keyword, onValue);
	return { push: bytes => void list.push(bytes), end: () => list.end() };
}
