/** Archives of a disk, written by hand in every form in which programs leave out zeros. */
import { noise } from './repositories.ts';

export const forms = ['dense', 'old GNU', 'PAX 0.0', 'PAX 0.1', 'PAX 1.0'] as const;
export type Form = (typeof forms)[number];

export interface Layout {
	sizeBytes: number;
	/** Ascending; all but the last of whole blocks. */
	parts: readonly { offsetBytes: number; lengthBytes: number }[];
}

const blockBytes = 512;

/** What the disk of a layout holds. */
export function contentOf({ sizeBytes, parts }: Layout): Buffer {
	const content = Buffer.alloc(sizeBytes);
	for (const [index, { offsetBytes, lengthBytes }] of parts.entries())
		noise(lengthBytes, index + 1).copy(content, offsetBytes);
	return content;
}

export interface HeaderFields {
	type?: string;
	gnu?: boolean;
	/** Has the header's other fields written, before its checksum is made. */
	change?: (block: Buffer) => void;
}

export function header(
	name: string,
	sizeBytes: number,
	{ type = '0', gnu = false, change }: HeaderFields = {},
): Buffer {
	const block = Buffer.alloc(blockBytes);
	block.write(name, 0, 'latin1');
	block.write('0000644\0', 100, 'latin1');
	number(block, 124, sizeBytes);
	block.write(type, 156, 'latin1');
	block.write(gnu ? 'ustar  \0' : 'ustar\x0000', 257, 'latin1');
	change?.(block);
	return summed(block);
}

/** With the checksum that its bytes have. */
export function summed(block: Buffer): Buffer {
	block.write(' '.repeat(8), 148, 'latin1');
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return block;
}

/** Twelve bytes: octal, or binary where that is too short. */
function number(block: Buffer, at: number, value: number): void {
	if (value < 8 ** 11) block.write(`${value.toString(8).padStart(11, '0')}\0`, at, 'latin1');
	else {
		block.writeUInt32BE(0x8000_0000, at);
		block.writeBigUInt64BE(BigInt(value), at + 4);
	}
}

export function padded(bytes: Buffer): Buffer {
	return Buffer.concat([bytes, Buffer.alloc((blockBytes - (bytes.length % blockBytes)) % blockBytes)]);
}

export function record(keyword: string, value: string | number): string {
	const rest = ` ${keyword}=${value}\n`;
	let length = rest.length;
	while (length !== String(length).length + rest.length) length = String(length).length + rest.length;
	return `${length}${rest}`;
}

export function extended(records: readonly string[], type = 'x'): Buffer {
	const bytes = Buffer.from(records.join(''), 'latin1');
	return Buffer.concat([header('PaxHeaders/x', bytes.length, { type }), padded(bytes)]);
}

export const end = Buffer.alloc(2 * blockBytes);

type Parts = Layout['parts'];

/** The member without its data: what stands before the data in this form. */
export function before(form: Form, { sizeBytes, parts }: Layout, name = 'disk.raw'): Buffer {
	const dataBytes = parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
	// As GNU tar does, an empty part tells where a disk ends that ends in zeros.
	const told = endOf(parts) < sizeBytes ? [...parts, { offsetBytes: sizeBytes, lengthBytes: 0 }] : parts;
	const numbers = told.flatMap(({ offsetBytes, lengthBytes }) => [offsetBytes, lengthBytes]);
	const common = [record('GNU.sparse.size', sizeBytes), record('GNU.sparse.numblocks', told.length)];
	if (form === 'dense') return header(name, sizeBytes, { gnu: true });
	if (form === 'old GNU') return oldGnu(name, dataBytes, sizeBytes, told);
	if (form === 'PAX 0.0') {
		const each = numbers.map((value, at) => record(at % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes', value));
		return Buffer.concat([extended([...common, ...each]), header(name, dataBytes)]);
	}
	const named = record('GNU.sparse.name', name);
	if (form === 'PAX 0.1') {
		const records = [...common, named, record('GNU.sparse.map', numbers.join(','))];
		return Buffer.concat([extended(records), header('GNUSparseFile.1/x', dataBytes)]);
	}
	const map = padded(Buffer.from(`${[told.length, ...numbers].join('\n')}\n`, 'latin1'));
	const version = [record('GNU.sparse.major', 1), record('GNU.sparse.minor', 0)];
	return Buffer.concat([
		extended([...version, named, record('GNU.sparse.realsize', sizeBytes)]),
		header('GNUSparseFile.1/x', map.length + dataBytes),
		map,
	]);
}

function oldGnu(name: string, dataBytes: number, sizeBytes: number, parts: Parts): Buffer {
	const rest = parts.slice(4);
	const blocks = Array.from({ length: Math.ceil(rest.length / 21) }, (_, index) => {
		const block = Buffer.alloc(blockBytes);
		writeParts(block, 0, rest.slice(21 * index, 21 * (index + 1)));
		block[504] = rest.length > 21 * (index + 1) ? 1 : 0;
		return block;
	});
	const first = header(name, dataBytes, {
		type: 'S',
		gnu: true,
		change: block => {
			writeParts(block, 386, parts.slice(0, 4));
			block[482] = rest.length > 0 ? 1 : 0;
			number(block, 483, sizeBytes);
		},
	});
	return Buffer.concat([first, ...blocks]);
}

function writeParts(block: Buffer, at: number, parts: Parts): void {
	for (const [index, { offsetBytes, lengthBytes }] of parts.entries()) {
		number(block, at + 24 * index, offsetBytes);
		number(block, at + 24 * index + 12, lengthBytes);
	}
}

/** What of the disk lies in the archive. */
export function dataOf(form: Form, layout: Layout): Buffer {
	const content = contentOf(layout);
	if (form === 'dense') return content;
	return Buffer.concat(
		layout.parts.map(({ offsetBytes, lengthBytes }) => content.subarray(offsetBytes, offsetBytes + lengthBytes)),
	);
}

export function archiveOf(form: Form, layout: Layout, name?: string): Buffer {
	return Buffer.concat([before(form, layout, name), padded(dataOf(form, layout)), end]);
}

function endOf(parts: Parts): number {
	const last = parts.at(-1);
	return last === undefined ? 0 : last.offsetBytes + last.lengthBytes;
}

/** In pieces of one size, all in the same memory, as a reader of a file makes them. */
export async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
	const piece = Buffer.alloc(pieceBytes);
	for (let at = 0; at < bytes.length; at += pieceBytes) {
		const length = bytes.copy(piece, 0, at, at + pieceBytes);
		yield piece.subarray(0, length);
		piece.fill(0xee);
	}
}
