import { ApplicationFailure } from '@temporalio/common';
import { asRouseError } from '../../model/errors.ts';

/**
 * What is written for a report. A disk that is full, or away, is mended by a person, and elsewhere not tried again before one
 * says so. Here nobody is to say anything: a drill waits for its report, so it is tried until it is written.
 */
export async function onDisk<T>(write: () => Promise<T>): Promise<T> {
	try {
		return await write();
	} catch (thrown) {
		const error = asRouseError(thrown);
		if (error.code !== 'space_short' && error.code !== 'io_failed') throw error;
		throw ApplicationFailure.create({
			message: error.message,
			type: error.code,
			nonRetryable: false,
			details: [error.toDocument()],
		});
	}
}
