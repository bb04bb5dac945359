import { readFile } from 'node:fs/promises';
import type { ErrorDocument } from '../../model/errors.ts';
import { loadConfig } from '../../system/installation.ts';
import { sourceIn } from '../../system/machine-sources.ts';

/** Shorter words of a file with a secret are no secret, and would make nonsense of a message. */
const leastCharacters = 8;
const secretWord = '[secret]';

/**
 * The words of a source's credential. What goes wrong with a platform is told by libraries that quote what they have sent; and what
 * is told stands in Temporal's histories, which others may read.
 */
export async function secretsOf(home: string, source: string): Promise<string[]> {
	const { credential } = sourceIn(await loadConfig({ home }), source);
	if (credential === null) return [];
	const text = await readFile(credential.path, 'utf8').catch(() => ''); // who opens it says why it cannot be read
	const words = [text.trim(), ...text.split(/[\s"'\\,;:=]+/)].filter(word => word.length >= leastCharacters);
	return [...new Set(words)].toSorted((a, b) => b.length - a.length);
}

/** The same error without these words, in whatever of it. */
export function redacted(
	{ message, hint, details, ...rest }: ErrorDocument,
	secrets: readonly string[],
): ErrorDocument {
	const without = (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, secretWord), text);
	return {
		...rest,
		message: without(message),
		...(hint === undefined ? {} : { hint: without(hint) }),
		...(details === undefined
			? {}
			: {
					details: Object.fromEntries(
						Object.entries(details).map(([name, value]) => [name, typeof value === 'string' ? without(value) : value]),
					),
				}),
	};
}
