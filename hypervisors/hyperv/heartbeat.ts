import { asRouseError } from '../../model/errors.ts';
import type { CallOptions } from '../contract.ts';
import type { MachineParts } from './parts.ts';
import { stageOf } from './states.ts';

/** The contract's bound, see `Machine.agentAnswers`. */
const withinMs = 5_000;

/**
 * Whether the guest's heartbeat is there. Every value that begins with `Ok` says that its service answers; what follows says
 * how it is with applications that report themselves, which almost none do. The values are no documented interface: they are
 * those that administrators' scripts go by. The WMI class behind them is documented:
 * https://learn.microsoft.com/windows/win32/hyperv_v2/msvm-heartbeatcomponent
 */
export async function heartbeatAnswers(
	{ settings, definition }: MachineParts,
	options: CallOptions = {},
): Promise<boolean> {
	const { recoveryId } = definition;
	try {
		const found = await settings.driver.ask('observe', { recoveryId }, { ...options, timeoutMs: withinMs });
		return found !== null && stageOf(found.state) === 'running' && found.heartbeat.startsWith('Ok');
	} catch (error) {
		options.signal?.throwIfAborted();
		if (asRouseError(error).code === 'hypervisor_stuck') return false;
		throw error;
	}
}
