import type * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';

/** JSON that has keys in it: `config_invalid` for what is not wholly understood quotes nothing of it. */
export function parseSecret<S extends z.ZodType>(text: string, what: string, schema: S): z.output<S> {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		// What V8 says of it quotes the text.
		throw new RouseError('config_invalid', `${what} is no JSON`, { cause: nameOf(cause) });
	}
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	throw new RouseError('config_invalid', `${what}: ${refusalText(result.error)}`);
}

function nameOf(cause: unknown): string {
	return cause instanceof Error ? cause.name : 'unknown';
}
