/** Units of sizes: DMTF DSP0004, "Common Information Model (CIM) Metamodel", annex "Programmatic Units"; and the old words. */

const words: Readonly<Record<string, number>> = {
	byte: 1,
	bytes: 1,
	kb: 2 ** 10,
	kilobytes: 2 ** 10,
	mb: 2 ** 20,
	megabytes: 2 ** 20,
	gb: 2 ** 30,
	gigabytes: 2 ** 30,
	tb: 2 ** 40,
	terabytes: 2 ** 40,
};

/** Bytes of one of them, as of `byte * 2^20` or `MegaBytes`; undefined when it is not known. */
export function unitBytes(text: string): number | undefined {
	const [word = '', ...factors] = text
		.toLowerCase()
		.split('*')
		.map(part => part.trim());
	let bytes = words[word];
	for (const factor of factors) {
		const [, base, power = '1'] = /^(\d{1,9})(?:\^(\d{1,2}))?$/.exec(factor) ?? [];
		if (bytes === undefined || base === undefined) return undefined;
		bytes *= Number(base) ** Number(power);
	}
	return bytes;
}

/** A number of units as bytes; undefined when it is none, or larger than any disk. */
export function quantityBytes(quantity: string | undefined, unit: string | undefined): number | undefined {
	if (quantity === undefined || !/^\d{1,16}$/.test(quantity)) return undefined;
	const bytes = Number(quantity) * (unitBytes(unit ?? 'byte') ?? Number.NaN);
	return Number.isSafeInteger(bytes) ? bytes : undefined;
}
