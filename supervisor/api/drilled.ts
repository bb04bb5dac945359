import type * as z from 'zod';
import { drillLimits } from '../../model/drill.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { AgentRan, agentRunSchema, ScreenshotView } from '../protocol.ts';
import { FinishedMachine } from '../recovery/finished-machine.ts';
import { Recovery } from '../recovery/recovery.ts';

/**
 * A program in the guest. That is for machines that nobody works with: what a drill may do to its own must not come to be done
 * to one that was recovered in earnest.
 */
export async function runInDrilled(
	entry: Recovery | FinishedMachine | undefined,
	name: string,
	{ recoveryId, command, timeoutMs }: z.output<typeof agentRunSchema>,
	signal: AbortSignal,
): Promise<AgentRan> {
	if (!(entry instanceof Recovery) || entry.recoveryId !== recoveryId || !entry.state.plan?.drill)
		throw new RouseError('identity_conflict', `${name} on this host is not the machine of a drill that was meant`);
	const { machine } = entry.equipment;
	if (machine.agentRuns === undefined)
		throw new RouseError('config_invalid', "the host's platform has no way to run anything by a guest's agent", {
			hint: 'test by ssh, by tcp or by a command instead',
		});
	return machine.agentRuns(command, { timeoutMs, mostBytes: drillLimits.outputLength, signal });
}

/** A look as at its console, beside its steps. */
export async function screenshotView(entry: Recovery | FinishedMachine, signal: AbortSignal): Promise<ScreenshotView> {
	const machine = entry instanceof FinishedMachine || !entry.equipped ? undefined : entry.equipment.machine;
	if (machine?.screenshot === undefined) return { png: null, reason: "the host's platform gives none" };
	try {
		const png = await machine.screenshot({ mostBytes: drillLimits.screenshotBytes, signal });
		return { png: png.toString('base64'), reason: null };
	} catch (error) {
		signal.throwIfAborted();
		return { png: null, reason: asRouseError(error).message };
	}
}
