import { RouseError } from '../../model/errors.ts';
import { performSwitch } from '../switch/perform.ts';
import type { StepContext } from '../recovery/step-context.ts';

export async function switchToTarget(context: StepContext): Promise<{ pauseMs: number }> {
	const { recovery } = context;
	if (!recovery.state.done.includes('power-on'))
		throw new RouseError('phase_wrong', `recovery ${recovery.name} was not powered on yet`);
	try {
		await performSwitch(context);
		recovery.seen.switchFailure = undefined;
	} catch (error) {
		// A switch that was begun is taken up again by the reconciling, at once.
		recovery.seen.notBefore.switch = 0;
		throw error;
	}
	return { pauseMs: recovery.state.switch.pauseMs ?? 0 };
}
