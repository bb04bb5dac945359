import type { Duplex } from 'node:stream';
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

/** Named pipes of the Windows host: a machine's serial port is one, while it runs. */
export interface Pipes {
	/** Bytes in both directions. `signal` counts until it is open. Throws `phase_wrong` when nobody serves it. */
	open(pipe: string, options?: CallOptions): Promise<Duplex>;
}
