import { RouseError } from '../../model/errors.ts';

export function momentLost(why: string, cause?: unknown): RouseError {
	return new RouseError('moment_lost', `the moment is gone while it was read: ${why}`, {
		cause,
		hint: 'begin the import anew',
	});
}
