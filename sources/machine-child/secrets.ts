import { readFile } from 'node:fs/promises';
import type { ErrorDocument } from '../../model/errors.ts';
import { loadConfig } from '../../system/installation.ts';
import { sourceIn } from '../../system/machine-sources.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import { secretsIn } from './secrets-in.ts';

const secretWord = '[secret]';

/** So many characters in a row of a secret give it away; one that is shorter counts whole. */
const pieceCharacters = 8;
/** What is shorter is in every other word. */
const leastCharacters = 4;

/** Libraries quote whole pages, and a history keeps what they say. */
const mostCharacters = 4_000;

/** Members of results that people read. All others are compared with what was said before, and stay as they are. */
const prose: ReadonlySet<string> = new Set(['why', 'what', 'cost', 'costText', 'warnings', 'left']);

/**
 * What opens a platform. What goes wrong there is told by libraries that quote what they have sent, whole or cut off, as it is,
 * escaped or encoded; and what is told stands in Temporal's histories, which others may read.
 */
export class Secrets {
	/** All of {@link pieceCharacters} that lie in a secret. */
	readonly #pieces = new Set<string>();
	readonly #short: string[] = [];

	constructor(secrets: readonly string[]) {
		for (const form of secrets.flatMap(formsOf))
			if (form.length >= pieceCharacters) for (const [, piece] of piecesOf(form)) this.#pieces.add(piece);
			else if (form.length >= leastCharacters) this.#short.push(form);
	}

	/** The same text without them, and without what was cut out of them. */
	outOf(text: string): string {
		const parts: string[] = [];
		let end = 0;
		for (const [at, piece] of piecesOf(text)) {
			if (!this.#pieces.has(piece)) continue;
			if (at > end || parts.length === 0) parts.push(text.slice(end, at), secretWord);
			end = at + pieceCharacters;
		}
		const left = [...parts, text.slice(end)].join('');
		return this.#short.reduce((told, secret) => told.replaceAll(secret, secretWord), left);
	}

	outOfError({ message, hint, details, ...rest }: ErrorDocument): ErrorDocument {
		const told = (text: string) => {
			const left = this.outOf(text);
			return left.length > mostCharacters ? `${left.slice(0, mostCharacters).toWellFormed()} […]` : left;
		};
		return {
			...rest,
			message: told(message),
			...(hint === undefined ? {} : { hint: told(hint) }),
			...(details === undefined
				? {}
				: {
						details: Object.fromEntries(
							Object.entries(details).map(([name, value]) => [name, typeof value === 'string' ? told(value) : value]),
						),
					}),
		};
	}

	/** The same result, its prose without them: what could not be taken away, or why all is read, quotes libraries as well. */
	outOfProse(result: unknown, isProse = false): unknown {
		if (typeof result === 'string') return isProse ? this.outOf(result) : result;
		if (Array.isArray(result)) return result.map((entry: unknown) => this.outOfProse(entry, isProse));
		if (typeof result !== 'object' || result === null) return result;
		return Object.fromEntries(
			Object.entries(result).map(([name, value]: [string, unknown]) => [name, this.outOfProse(value, prose.has(name))]),
		);
	}
}

export const noSecrets = new Secrets([]);

/** Those of a source's credential. `config_invalid` for a file that others may read, before it is read. */
export async function secretsOf(home: string, source: string): Promise<Secrets> {
	const { credential } = sourceIn(await loadConfig({ home }), source);
	if (credential === null) return noSecrets;
	await mustBeSecret(credential.path);
	const text = await readFile(credential.path, 'utf8').catch(() => ''); // who opens the source says why it cannot be read
	return new Secrets(secretsIn(text));
}

function* piecesOf(text: string): Generator<[at: number, piece: string]> {
	for (let at = 0; at + pieceCharacters <= text.length; at++) yield [at, text.slice(at, at + pieceCharacters)];
}

/** As it is, within JSON, within an address, and as headers and dumps have it. */
function formsOf(secret: string): string[] {
	const plain = secret.toWellFormed();
	const encoded = [0, 1, 2].map(before => base64At(plain, before));
	return [
		plain,
		JSON.stringify(plain).slice(1, -1),
		encodeURIComponent(plain),
		Buffer.from(plain).toString('hex'),
		...encoded,
		...encoded.map(text => text.replaceAll('+', '-').replaceAll('/', '_')),
	];
}

/** Those characters of its encoding that are the same whatever comes behind it, and by how many bytes, in threes, it is preceded. */
function base64At(text: string, before: number): string {
	const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]);
	const from = Math.ceil((before * 8) / 6);
	return bytes.toString('base64').slice(from, Math.floor((bytes.length * 8) / 6));
}
