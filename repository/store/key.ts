import { RouseError } from '../../model/errors.ts';

export const maxKeyLength = 512;

/** Throws `internal` for a key that the contract does not allow: a bug, or an attempt to leave the store. */
export function checkKey(key: string): void {
	if (key.length > maxKeyLength || !key.split('/').every(isKeyPart))
		throw new RouseError('internal', `not a key of a store: ${JSON.stringify(key.slice(0, 600))}`);
}

/** What may stand between the slashes of a key. */
export function isKeyPart(name: string): boolean {
	return /^[a-zA-Z0-9_-][a-zA-Z0-9._-]*$/.test(name);
}
