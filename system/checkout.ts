import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

/** The checkout this program runs from: its other programs are started from there, too. */
export const checkoutDirectory = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

const packageSchema = z.object({ version: z.string() });

export function packageVersion(): string {
	return packageSchema.parse(JSON.parse(readFileSync(`${checkoutDirectory}/package.json`, 'utf8'))).version;
}
