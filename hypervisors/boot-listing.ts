/** Programs that a BIOS starts from the first sector of a disk, written down as the bytes that they are. */

/** Where a BIOS puts the first sector: Intel/Phoenix BIOS Boot Specification 1.01, 6.5.1. */
const origin = 0x7c00;
const sectorBytes = 512;

/** The whole sector, ready to be the first of a disk. */
export function bootSectorOf(listing: string): Buffer {
	const sector = Buffer.alloc(sectorBytes);
	sector.set(assemble(listing));
	sector.set([0x55, 0xaa], sectorBytes - 2); // the mark of a boot sector
	return sector;
}

/**
 * Turns a listing into bytes, its names into addresses. It has bytes and the instruction they are, `name:` for an address and
 * `<name>` for its lower two bytes; what follows `;` is for people.
 */
export function assemble(text: string): number[] {
	const names = new Map<string, number>();
	const bytes: (number | { name: string; shift: number })[] = [];
	for (const line of text.split('\n'))
		for (const word of (line.split(';')[0] ?? '').split(/\s+/).filter(Boolean)) {
			const [, defined, used] = /^(?:(\w+):|<(\w+)>)$/.exec(word) ?? [];
			if (defined !== undefined) names.set(defined, origin + bytes.length);
			else if (used !== undefined) bytes.push({ name: used, shift: 0 }, { name: used, shift: 8 });
			else if (/^[0-9a-f]{2}$/.test(word)) bytes.push(Number.parseInt(word, 16));
			else throw new Error(`neither a byte nor a name: ${word}`);
		}
	return bytes.map(byte => {
		if (typeof byte === 'number') return byte;
		const address = names.get(byte.name);
		if (address === undefined) throw new Error(`no such name: ${byte.name}`);
		return (address >> byte.shift) & 0xff;
	});
}
