/** What the driver says went wrong, as an error for people. */
import { RouseError } from '../../../model/errors.ts';
import type { DriverFailure } from './wire.ts';

export function driverError(operation: string, failure: DriverFailure): RouseError {
	return new RouseError('hypervisor_failed', `${operation}: ${failure.message}`);
}
