import type { CallOptions } from '../../contract.ts';
import type { AnswerOf, OperationName, RequestOf } from './requests.ts';

/** The driver on the Windows host, wherever it runs and however it is reached. */
export interface Driver {
	/**
	 * Throws a RouseError made of what the driver said (errors.ts), `hypervisor_failed` when the session breaks: nobody knows
	 * then whether it was done, and it is asked again. `hypervisor_stuck` when no answer comes in time.
	 */
	ask<Name extends OperationName>(
		name: Name,
		request: RequestOf<Name>,
		options?: CallOptions & { timeoutMs?: number },
	): Promise<AnswerOf<Name>>;
}
