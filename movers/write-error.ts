import { RouseError } from '../model/errors.ts';
import { isSpaceShort } from '../system/durable-file.ts';

/** `space_short` when a file system or quota is full, `io_failed` for everything else that stops a write. */
export function writeError(path: string, what: string, cause: unknown): RouseError {
	const why = cause instanceof Error ? cause.message : String(cause);
	if (isSpaceShort(cause))
		return new RouseError('space_short', `${path}: ${what}: ${why}`, {
			cause,
			hint: 'make room on this file system, then retry',
		});
	return new RouseError('io_failed', `${path}: ${what}: ${why}`, {
		cause,
		hint: 'look at the disk under this path, then retry',
	});
}
