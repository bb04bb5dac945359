/** Digests of the files of an appliance: DSP0243, "OVF Package", "manifest file". */
import { createHash } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import { fillFrom, type OpenedFile } from '../opened-file.ts';

export interface ManifestLine {
	algorithm: Algorithm;
	name: string;
	digest: string;
}

export const maxManifestBytes = 2 ** 20;
/** Each has a file opened, and read as a whole. */
const maxLines = 1024;
const pieceBytes = 2 ** 20;

/** Those that OVF allows, and how long their digests are in hex. */
const digestCharacters = { SHA1: 40, SHA256: 64, SHA384: 96, SHA512: 128 } as const;
type Algorithm = keyof typeof digestCharacters;

function algorithmOf(text: string): Algorithm | undefined {
	const names: readonly Algorithm[] = ['SHA1', 'SHA256', 'SHA384', 'SHA512'];
	return names.find(name => name === text.toUpperCase().replace('-', ''));
}

/** `SHA256(web01.ovf)= 1f…`, with a space here and there. Throws `source_invalid` for any other line. */
export function parseManifest(text: string, path: string): ManifestLine[] {
	const lines = text.split('\n').flatMap((line, index) => {
		if (line.trim() === '') return [];
		const [, algorithm, name, digest] = /^([\w-]+)\s*\((.+)\)\s*=\s*([\da-f]+)\s*$/i.exec(line) ?? [];
		const known = algorithm === undefined ? undefined : algorithmOf(algorithm);
		if (known !== undefined && name !== undefined && digest?.length === digestCharacters[known])
			return [{ algorithm: known, name, digest: digest.toLowerCase() }];
		throw new RouseError(
			'source_invalid',
			`${path}:${index + 1} is not understood: ${JSON.stringify(line.slice(0, 100))}`,
			{
				hint: 'copy it again, or take it away: then nothing is compared',
			},
		);
	});
	if (lines.length <= maxLines) return lines;
	throw new RouseError('source_invalid', `${path} names ${lines.length} files, and ${maxLines} at most are compared`, {
		hint: 'take it away: then nothing is compared',
	});
}

/** What there is to compare, each file opened. */
export interface Comparison extends ManifestLine {
	file: OpenedFile;
}

export interface Comparing {
	signal: AbortSignal;
	/** Told how far all of it is; often. */
	onCompare?: ((progress: { path: string; doneBytes: number; totalBytes: number }) => void) | undefined;
}

/** Reads each file once, in the order given. Throws `source_invalid` for the first whose digest is another. */
export async function compareDigests(
	comparisons: readonly Comparison[],
	manifest: string,
	{ signal, onCompare }: Comparing,
): Promise<void> {
	const totalBytes = comparisons.reduce((sum, { file }) => sum + file.sizeBytes, 0);
	let doneBytes = 0;
	for (const { file, algorithm, digest } of comparisons) {
		const hash = createHash(algorithm);
		for await (const piece of piecesOf(file, signal)) {
			hash.update(piece);
			doneBytes += piece.length;
			onCompare?.({ path: file.path, doneBytes, totalBytes });
		}
		const found = hash.digest('hex');
		if (found !== digest)
			throw new RouseError(
				'source_invalid',
				`${file.path} is not what ${manifest} says: its ${algorithm} is ${found}, and should be ${digest}`,
				{
					hint: 'it is damaged, or was changed since: copy it again, or export the machine anew',
					details: { path: file.path },
				},
			);
	}
}

/** The next one is read while one is digested. */
async function* piecesOf(file: OpenedFile, signal: AbortSignal): AsyncGenerator<Buffer> {
	const buffers = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
	const readAt = async (at: number): Promise<Buffer> => {
		const buffer = buffers[(at / pieceBytes) % 2] ?? Buffer.alloc(0);
		return buffer.subarray(0, await fillFrom(file, at, buffer, signal));
	};
	let at = 0;
	let next = readAt(at);
	while (at < file.sizeBytes) {
		const piece = await next;
		if (piece.length === 0) throw new RouseError('source_invalid', `${file.path} became shorter while it was read`);
		at += pieceBytes;
		if (at < file.sizeBytes) {
			next = readAt(at);
			next.catch(() => {}); // it is awaited, unless whoever reads has ended
		}
		yield piece;
	}
}
