import { join } from 'node:path';
import * as z from 'zod';
import { type Claim, ownerSchema } from '../machine/documents.ts';
import { namesIn } from './files.ts';

/**
 * What every directory that a source makes on the platform has for a name: so it says from its first moment on whose it is, and by
 * which begin it was made.
 */
export interface Mark {
	tag: string;
	owner: string;
	/** Random, of one begin. */
	set: string;
}

const markSchema = z.tuple([z.uuid(), ownerSchema, z.uuid()]);

export function markName({ tag, owner, set }: Mark): string {
	return [tag, owner.replaceAll('/', '~'), set].join('@');
}

/** Undefined for what is not ours. */
function parseMark(name: string): Mark | undefined {
	const parsed = markSchema.safeParse(name.replaceAll('~', '/').split('@'));
	if (!parsed.success) return undefined;
	const [tag, owner, set] = parsed.data;
	return { tag, owner, set };
}

export interface MarkedDirectory extends Mark {
	path: string;
}

export async function markedIn(directory: string): Promise<MarkedDirectory[]> {
	return (await namesIn(directory)).flatMap(name => {
		const mark = parseMark(name);
		return mark === undefined ? [] : [{ ...mark, path: join(directory, name) }];
	});
}

export function carries({ tag, owner }: Mark, claim: Pick<Claim, 'tag' | 'owner'>): boolean {
	return tag === claim.tag && owner === claim.owner;
}
