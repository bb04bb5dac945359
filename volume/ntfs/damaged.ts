import { RouseError } from '../../model/errors.ts';

/** What was read is no NTFS as ntfs-3g writes it. */
export function damaged(what: string): RouseError {
	return new RouseError('format_damaged', `NTFS: ${what}`);
}
