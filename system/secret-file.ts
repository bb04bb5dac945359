import { stat } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';

/**
 * Throws `config_invalid` for what is no regular file, or one that others than its owner may read or write. That it is not
 * there is the reader's affair.
 */
export async function mustBeSecret(path: string): Promise<void> {
	const found = await stat(path).catch(() => undefined);
	if (found === undefined) return;
	if (!found.isFile()) throw new RouseError('config_invalid', `${path} is no file`); // a pipe would be waited for
	if ((found.mode & 0o077) === 0) return;
	throw new RouseError('config_invalid', `${path} is a secret, and others may read it`, { hint: `chmod 600 ${path}` });
}
