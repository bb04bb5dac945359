import { unreadable } from '../volume.ts';

/** What lvm.conf(5) calls a configuration tree, in which a group's metadata is written as well. */
export type LvmValue = string | number | LvmValue[] | LvmSection;
export interface LvmSection {
	readonly [name: string]: LvmValue | undefined;
}

export function isSection(value: LvmValue | undefined): value is LvmSection {
	return typeof value === 'object' && !Array.isArray(value);
}

const mostDepth = 8;
/** Names, strings, numbers and signs; a comment ends with its line. */
const token = /\s+|#[^\n]*|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?![\w.+-]))|([\w.+-]+)|([{}[\]=,])/y;

/** Throws `source_invalid` for what is none. */
export function parseLvmText(text: string): LvmSection {
	const reader = new Reader(text);
	const root = reader.section(0, true);
	return root;
}

class Reader {
	readonly #text: string;
	#at = 0;
	#next: string | undefined;

	constructor(text: string) {
		this.#text = text;
		this.#advance();
	}

	section(depth: number, isRoot: boolean): LvmSection {
		if (depth > mostDepth) throw damaged();
		const members = new Map<string, LvmValue>();
		for (;;) {
			const name = this.#take();
			if (name === undefined && isRoot) break;
			if (name === '}' && !isRoot) break;
			if (name === undefined || !/^[\w.+-]+$/.test(name)) throw damaged();
			const sign = this.#take();
			if (sign === '{') members.set(name, this.section(depth + 1, false));
			else if (sign === '=') members.set(name, this.#value());
			else throw damaged();
		}
		// Names are out of the metadata: they must not reach a prototype.
		return Object.assign(Object.create(null), Object.fromEntries(members));
	}

	#value(): LvmValue {
		const first = this.#take();
		if (first !== '[') return plain(first);
		const list: LvmValue[] = [];
		for (let next = this.#take(); next !== ']'; next = this.#take()) if (next !== ',') list.push(plain(next));
		return list;
	}

	#take(): string | undefined {
		const taken = this.#next;
		this.#advance();
		return taken;
	}

	#advance(): void {
		this.#next = undefined;
		while (this.#next === undefined && this.#at < this.#text.length) {
			token.lastIndex = this.#at;
			const match = token.exec(this.#text);
			if (match === null) throw damaged();
			this.#at = token.lastIndex;
			this.#next = match[1] ?? match[2] ?? match[3] ?? match[4];
		}
	}
}

function plain(word: string | undefined): LvmValue {
	if (word?.startsWith('"')) return word.slice(1, -1).replaceAll(/\\(.)/g, '$1');
	if (word === undefined || !/^-?\d+(?:\.\d+)?$/.test(word)) throw damaged();
	return Number(word);
}

function damaged() {
	return unreadable('the metadata of LVM is damaged');
}
