import { asRouseError } from '../../model/errors.ts';
import type { AgentView } from '../protocol.ts';
import { FinishedMachine } from '../recovery/finished-machine.ts';
import type { Recovery } from '../recovery/recovery.ts';

/** Asks the machine beside its steps: a guest that starts is asked again and again, and holds up none of them. */
export async function agentView(entry: Recovery | FinishedMachine, signal: AbortSignal): Promise<AgentView> {
	try {
		const answers = entry instanceof FinishedMachine ? entry.agentAnswers(signal) : ofRecovery(entry, signal);
		return told(await answers);
	} catch (error) {
		signal.throwIfAborted();
		return { answers: false, reason: asRouseError(error).message };
	}
}

async function ofRecovery(recovery: Recovery, signal: AbortSignal): Promise<boolean | undefined> {
	if (!recovery.equipped) return false;
	return recovery.equipment.machine.agentAnswers?.({ signal });
}

function told(answers: boolean | undefined): AgentView {
	if (answers === undefined) return { answers: false, reason: "the host's platform has no way to a guest's agent" };
	return { answers, reason: answers ? null : "the guest's agent does not answer" };
}
