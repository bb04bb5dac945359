import type * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';

/** What a source has said, if it may say that. `source_invalid`, with what is not accepted. */
export function checked<T>(schema: z.ZodType<T>, said: unknown, what: string): T {
	const parsed = schema.safeParse(said);
	if (parsed.success) return parsed.data;
	throw new RouseError('source_invalid', `${what}: ${refusalText(parsed.error)}`, { cause: parsed.error });
}
