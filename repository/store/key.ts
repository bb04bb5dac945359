import { RouseError } from '../../model/errors.ts';

/** Throws `internal` for a key that the contract does not allow: a bug, or an attempt to leave the store. */
export function checkKey(key: string): void {
	if (key.length > 512 || !/^[a-zA-Z0-9_:-][a-zA-Z0-9._:-]*(\/[a-zA-Z0-9_:-][a-zA-Z0-9._:-]*)*$/.test(key))
		throw new RouseError('internal', `not a key of a store: ${JSON.stringify(key.slice(0, 600))}`);
}
