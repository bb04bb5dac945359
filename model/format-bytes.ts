const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes for people: binary units, three digits at least, never rounded up to the next unit. */
export function formatBytes(bytes: number): string {
	let value = bytes;
	let unit = 0;
	while (value >= 1024 && unit < binaryUnits.length - 1) {
		value /= 1024;
		unit += 1;
	}
	const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
	const factor = 10 ** digits;
	return `${(Math.floor(value * factor) / factor).toFixed(digits)} ${binaryUnits[unit]}`;
}

/** Bytes for people who may have to compare them: with their exact number, unless it says nothing more. */
export function exactBytes(bytes: number): string {
	if (bytes < 1024) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
	const text = formatBytes(bytes);
	const [value, unit] = text.split(' ');
	const factor = 1024 ** binaryUnits.findIndex(one => one === unit);
	return Number(value) * factor === bytes ? text : `${text} (${bytes} bytes)`;
}
