import { RouseError } from '../../model/errors.ts';

/** The server said what the protocol does not allow; nothing it says afterwards can be relied on. */
export function violation(what: string): RouseError {
	return new RouseError('protocol', `NBD server: ${what}`);
}
