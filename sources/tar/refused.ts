import { RouseError } from '../../model/errors.ts';

/** What a parser here says of an archive; whoever knows its name puts that before it. */
export function refused(what: string, hint: string = copyAgain, cause?: unknown): RouseError {
	return new RouseError('source_invalid', what, { hint, cause });
}

export const copyAgain = 'copy it again, or export it again';
export const unpackIt = 'unpack it (tar xf), and import the disk that comes out';

/** A name that somebody else has chosen, for a sentence. */
export function shown(name: string): string {
	return JSON.stringify(name.length <= 100 ? name : `${name.slice(0, 100).toWellFormed()}…`);
}
