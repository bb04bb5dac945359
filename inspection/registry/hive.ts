import { unreadable } from '../volume.ts';

/**
 * A file of the Windows registry. https://github.com/msuhanov/regf/blob/master/Windows%20registry%20file%20format%20specification.md
 */
export class Hive {
	readonly #bytes: Buffer;
	readonly root: Key;

	/** Throws `source_invalid` for what is none. */
	constructor(bytes: Buffer) {
		if (bytes.length < baseBytes || bytes.toString('latin1', 0, 4) !== 'regf') throw damaged();
		this.#bytes = bytes;
		this.root = this.#key(bytes.readUInt32LE(0x24));
	}

	/** Undefined when there is none. Names are the same in upper and lower case. */
	key(path: readonly string[], from: Key = this.root): Key | undefined {
		let here: Key | undefined = from;
		for (const name of path) here = here && this.keysOf(here).find(key => sameName(key.name, name));
		return here;
	}

	/** The keys right beneath one. */
	keysOf({ keyCount, keyList }: Key): Key[] {
		if (keyCount === 0) return [];
		return this.#listed(keyList, 0).map(at => this.#key(at));
	}

	/** A number of 32 bits; undefined when there is none of that name and kind. */
	number({ valueCount, valueList }: Key, name: string): number | undefined {
		if (valueCount === 0) return undefined;
		const list = this.#cell(valueList);
		if (valueCount > mostNames || valueCount * 4 > list.length) throw damaged();
		for (let index = 0; index < valueCount; index++) {
			const value = this.#cell(list.readUInt32LE(index * 4));
			if (value.length < 20 || value.toString('latin1', 0, 2) !== 'vk') throw damaged();
			const nameBytes = value.readUInt16LE(2);
			if (20 + nameBytes > value.length) throw damaged();
			if (!sameName(textIn(value, 20, nameBytes, (value.readUInt16LE(16) & narrowValue) !== 0), name)) continue;
			// So short a value stands where else its place does.
			return value.readUInt32LE(12) === isNumber && value.readUInt32LE(4) === inPlace + 4
				? value.readUInt32LE(8)
				: undefined;
		}
		return undefined;
	}

	#key(at: number): Key {
		const cell = this.#cell(at);
		if (cell.length < 0x4c || cell.toString('latin1', 0, 2) !== 'nk') throw damaged();
		const nameBytes = cell.readUInt16LE(0x48);
		if (0x4c + nameBytes > cell.length) throw damaged();
		return {
			name: textIn(cell, 0x4c, nameBytes, (cell.readUInt16LE(2) & narrowKey) !== 0),
			keyCount: cell.readUInt32LE(0x14),
			keyList: cell.readUInt32LE(0x1c),
			valueCount: cell.readUInt32LE(0x24),
			valueList: cell.readUInt32LE(0x28),
		};
	}

	/** Places of keys: in one list, or in a list of lists, which has none beneath it. */
	#listed(at: number, depth: number): number[] {
		const cell = this.#cell(at);
		if (cell.length < 4) throw damaged();
		const kind = cell.toString('latin1', 0, 2);
		const count = cell.readUInt16LE(2);
		// With the places stand parts of the names.
		const each = kind === 'lf' || kind === 'lh' ? 8 : 4;
		if (4 + count * each > cell.length || !['lf', 'lh', 'li', 'ri'].includes(kind)) throw damaged();
		const places = Array.from({ length: count }, (_, index) => cell.readUInt32LE(4 + index * each));
		if (kind !== 'ri') return places;
		if (depth > 0) throw damaged();
		const all: number[] = [];
		for (const place of places) {
			all.push(...this.#listed(place, depth + 1));
			if (all.length > mostNames) throw damaged();
		}
		return all;
	}

	/** What is in a cell that is in use: those have sizes below zero. */
	#cell(at: number): Buffer {
		const start = baseBytes + at;
		if (start + 4 > this.#bytes.length) throw damaged();
		const size = -this.#bytes.readInt32LE(start);
		if (size < 8 || start + size > this.#bytes.length) throw damaged();
		return this.#bytes.subarray(start + 4, start + size);
	}
}

export interface Key {
	name: string;
	keyCount: number;
	keyList: number;
	valueCount: number;
	valueList: number;
}

/** Of the header, from whose end places count. */
const baseBytes = 4096;
const mostNames = 65_535;
const narrowKey = 0x20;
const narrowValue = 0x1;
const isNumber = 4;
const inPlace = 0x8000_0000;

/** Latin-1, or UTF-16. */
function textIn(bytes: Buffer, at: number, length: number, isNarrow: boolean): string {
	return bytes.toString(isNarrow ? 'latin1' : 'utf16le', at, at + length);
}

function sameName(a: string, b: string): boolean {
	return a.toLowerCase() === b.toLowerCase();
}

function damaged() {
	return unreadable('a file of the registry is damaged');
}
