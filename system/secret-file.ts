import { stat } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';

/** Throws `config_invalid` for a file that others than its owner may read or write. One that is not there is the reader's affair. */
export async function mustBeSecret(path: string): Promise<void> {
	const found = await stat(path).catch(() => undefined);
	if (found === undefined || (found.mode & 0o077) === 0) return;
	throw new RouseError('config_invalid', `${path} is a secret, and others may read it`, { hint: `chmod 600 ${path}` });
}
